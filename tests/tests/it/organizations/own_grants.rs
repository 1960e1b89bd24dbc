//! A grant belongs to the organization whose person brought it. What is the account's is lent to
//! who has proved the right to install it, and lives as long as somebody is lent it.

use anyhow::Result;
use jackfield_store::{
    milliseconds,
    revocations::{self, RevocationFilter, Status},
};
use jackfield_test_support::{
    postgres::databases,
    stand_in::TokenState,
    stand_in_slack::{Delivery, StandInSlack},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::two_organizations::{ALICE, BOB, TEAM, TwoOrganizations};
use crate::app::ApiClient;

fn is_live(slack: &StandInSlack, token: &str) -> bool {
    slack.tokens().state(token) == TokenState::Live
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_s_token_is_lent_to_the_organization_that_brought_it_and_to_no_other() -> Result<()> {
    for database in databases() {
        let app = TwoOrganizations::connected(database).await?;
        assert_eq!(app.grants_of(&app.acme).await?, ["bot".to_owned(), format!("user {ALICE}")]);
        assert_eq!(app.grants_of(&app.globex).await?, ["bot".to_owned(), format!("user {BOB}")]);
        let alices = app.token_of(&app.acme, "user", "").await?;
        assert!(alices.is_some() && app.token_of(&app.acme, "user", ALICE).await? == alices);
        assert_eq!(app.token_of(&app.globex, "user", ALICE).await?, None, "by its name neither");
        assert_ne!(app.token_of(&app.globex, "user", "").await?, alices);
        let shared = app.token_of(&app.acme, "bot", "").await?;
        assert!(shared.is_some() && app.token_of(&app.globex, "bot", "").await? == shared, "the workspace's own");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_takes_its_own_along_and_the_last_one_the_account_s() -> Result<()> {
    for database in databases() {
        let app = TwoOrganizations::connected(database).await?;
        let token = async |program: &ApiClient, grant: &str| app.token_of(program, grant, "").await;
        let (bot, alices) = (token(&app.globex, "bot").await?, token(&app.acme, "user").await?);
        let (bot, alices) = (bot.unwrap_or_default(), alices.unwrap_or_default());
        let bobs = token(&app.globex, "user").await?.unwrap_or_default();
        assert_eq!(app.delete(&app.acme).await?, 204);
        settled(&app).await?;
        assert!(!is_live(&app.slack, &alices) && is_live(&app.slack, &bot) && is_live(&app.slack, &bobs));
        assert_eq!(token(&app.globex, "bot").await?.unwrap_or_default(), bot);
        assert_eq!(app.acme.get(&app.acme.path).await?.status, 404);
        assert_eq!(app.delete(&app.globex).await?, 204);
        settled(&app).await?;
        assert!(!is_live(&app.slack, &bot) && !is_live(&app.slack, &bobs));
    }
    Ok(())
}

/// Waits until no revocation is pending.
async fn settled(app: &TwoOrganizations) -> Result<()> {
    let store = app.host.store().await?;
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(50));
    for _ in 0..600 {
        looks.tick().await;
        let open = store.read(|tx| revocations::unrevoked(tx, &RevocationFilter::default(), 100)).await?;
        if open.iter().all(|revocation| revocation.status != Status::Pending) {
            return Ok(());
        }
    }
    anyhow::bail!("a revocation stays pending")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_alone_proves_no_right_to_the_account_s_own_token() -> Result<()> {
    for database in databases() {
        let mut app = TwoOrganizations::new(database, |host| host).await?;
        let id = app.connect("acme", ALICE).await?;
        app.without_bot();
        app.connect("globex", BOB).await?;
        app.globex.path = format!("/api/0/organizations/globex/integrations/{id}/");
        assert_eq!(app.grants_of(&app.globex).await?, [format!("user {BOB}")]);
        assert_eq!(app.token_of(&app.globex, "bot", "").await?, None);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connects_again_replaces_its_own_and_leaves_the_other_s() -> Result<()> {
    for database in databases() {
        let app = TwoOrganizations::connected(database).await?;
        let alices = app.token_of(&app.acme, "user", "").await?;
        app.connect("globex", ALICE).await?;
        assert_eq!(app.token_of(&app.acme, "user", "").await?, alices, "although it is the same person");
        let both = ["bot".to_owned(), format!("user {BOB}"), format!("user {ALICE}")];
        let mut shown = app.grants_of(&app.globex).await?;
        shown.sort();
        let mut both = both.to_vec();
        both.sort();
        assert_eq!(shown, both);
        let metadata = app.database().await?.integrations().await?;
        assert_eq!(metadata[0].1["scopes"], json!(["chat:write", "commands", "team:read"]), "acme's own stay");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_and_a_failed_refresh_are_told_to_whom_they_concern() -> Result<()> {
    for database in databases() {
        let app = TwoOrganizations::connected(database).await?;
        let revoked = Delivery::revoked("Ev1", TEAM, &[ALICE], &[]);
        assert_eq!(app.slack.deliver(&app.host.at("/extensions/slack/events/"), &revoked).await?.status, 200);
        assert_eq!(app.token_of(&app.acme, "user", "").await?, None);
        assert!(app.token_of(&app.globex, "user", "").await?.is_some());
        assert_eq!(
            told_by_events(&app.acme, "acme").await?,
            [json!({"cause": "tokens-revoked", "event": "Ev1", "grant": "user", "subject": ALICE})]
        );
        assert_eq!(told_by_events(&app.globex, "globex").await?, Vec::<Value>::new(), "it learns nothing of it");
        let gone = Delivery::uninstalled("Ev2", TEAM);
        assert_eq!(app.slack.deliver(&app.host.at("/extensions/slack/events/"), &gone).await?.status, 200);
        for (program, slug) in [(&app.acme, "acme"), (&app.globex, "globex")] {
            assert_eq!(program.status().await?, "needs-reauthentication");
            let told = told_by_events(program, slug).await?;
            assert_eq!(told[0], json!({"cause": "uninstalled", "event": "Ev2"}), "the account is both's");
        }
    }
    Ok(())
}

/// Details of the entries about events in an organization's log, the newest first.
async fn told_by_events(program: &ApiClient, slug: &str) -> Result<Vec<Value>> {
    let log = program.get(&format!("/api/0/organizations/{slug}/audit/?action=revoke")).await?.json()?;
    let details = log.as_array().into_iter().flatten().map(|entry| entry["detail"].clone());
    Ok(details.filter(|detail| detail["event"].is_string()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_revokes_what_one_organization_has_and_nothing_of_the_other() -> Result<()> {
    for database in databases() {
        let app = TwoOrganizations::connected(database).await?;
        let (bot, alices) = (app.token_of(&app.acme, "bot", "").await?, app.token_of(&app.acme, "user", "").await?);
        let command = ["revoke", "--provider", "slack", "--organization", "acme", "--keep", "--yes"];
        app.host.run(&command, "")?;
        settled(&app).await?;
        assert!(!is_live(&app.slack, &alices.unwrap_or_default()));
        assert_eq!(app.acme.status().await?, "needs-reauthentication");
        assert_eq!((app.globex.status().await?, app.token_of(&app.globex, "bot", "").await?), (json!("active"), bot));
        assert!(app.token_of(&app.globex, "user", "").await?.is_some());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_deleted_organization_had_is_revoked_although_the_account_is_shared() -> Result<()> {
    for database in databases() {
        let app = TwoOrganizations::connected(database).await?;
        let alices = app.token_of(&app.acme, "user", "").await?.unwrap_or_default();
        let bot = app.token_of(&app.acme, "bot", "").await?.unwrap_or_default();
        let store = app.host.store().await?;
        store.tamper("DELETE FROM organizations WHERE slug = 'acme'").await?;
        let found = store.read(|tx| jackfield_store::unlinked_integrations::oldest(tx, 9)).await?;
        assert_eq!(found.len(), 1);
        let id = found[0].integration;
        store.write(move |tx| jackfield_store::removal::remove_ownerless(tx, id)).await?;
        settled(&app).await?;
        assert!(!is_live(&app.slack, &alices) && is_live(&app.slack, &bot));
        assert!(app.token_of(&app.globex, "user", "").await?.is_some());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_not_open_in_the_place_of_another_organization() -> Result<()> {
    for database in databases() {
        let app = TwoOrganizations::connected(database).await?;
        let store = app.host.store().await?;
        let now = milliseconds(time::OffsetDateTime::now_utc());
        // As somebody who can write to the database, and has no key.
        let move_row = format!(
            "UPDATE grants SET organization_id = (SELECT id FROM organizations WHERE slug = 'globex'), installed_at = {now} \
             WHERE subject = '{ALICE}'"
        );
        store.tamper(move_row).await?;
        let path = format!("{}token/?grant=user&subject={ALICE}", app.globex.path);
        let refused = app.globex.send(app.globex.request(Method::GET, &path)).await?;
        assert_eq!((refused.status, refused.json()?["accessToken"].clone()), (500, Value::Null));
    }
    Ok(())
}
