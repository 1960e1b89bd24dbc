//! Connecting the same account again, and re-authentication.

use anyhow::{Context, Result};
use insta::assert_snapshot;
use jackfield_test_support::{
    http_client::{HttpClient, HttpResponse},
    postgres::databases,
    stand_in_slack::TokenAnswer,
};
use serde_json::json;

use crate::{app::TestApp, audit::log::rows};

#[tokio::test(flavor = "multi_thread")]
async fn a_re_install_refreshes_everything_and_adds_no_rows() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v1", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        let first = owner.install("acme", "slack").await?.dialog()?;
        let stored = app.database().await?;
        let old = (stored.integrations().await?, stored.identities("owner@example.com").await?);
        app.slack.behave(|behaviour| behaviour.team_name = "Difference Engines".to_owned());
        let second = owner.install("acme", "slack").await?.dialog()?;
        assert_eq!((&second.data["id"], &second.data["name"]), (&first.data["id"], &"Difference Engines".into()));
        let new = (stored.integrations().await?, stored.identities("owner@example.com").await?);
        assert_eq!((new.0.len(), new.1.len()), (1, 1));
        assert_ne!(new.0[0].1["bot_access_token"], old.0[0].1["bot_access_token"], "the old token does not stay");
        assert_ne!(new.1[0]["data"], old.1[0]["data"]);
        assert_eq!(new.0[0].0.link, old.0[0].0.link, "the link stays as it was");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn re_authentication_takes_the_same_account_and_refuses_another() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let id = owner.install("acme", "slack").await?.dialog()?.data["id"].as_str().unwrap_or_default().to_owned();
    let stored = app.database().await?;
    let again = format!("/organizations/acme/integrations/slack/setup/?integration={id}");
    let re_authenticate = async || {
        let step = owner.visit(owner.visit(&again).await?.redirect()?.as_str()).await?;
        let back = owner.consent(&step).await?;
        owner.visit(&back).await?.dialog()
    };
    assert!(re_authenticate().await?.success);
    let before = (stored.integrations().await?[0].1.clone(), stored.identities("owner@example.com").await?);
    app.slack.behave(|behaviour| behaviour.team_id = "T0OTHER".to_owned());
    let dialog = re_authenticate().await?;
    assert!(!dialog.success);
    assert_snapshot!(dialog.detail(), @"This is another account than the one that is to be re-authenticated; nothing was changed.");
    let after = (stored.integrations().await?[0].1.clone(), stored.identities("owner@example.com").await?);
    assert_eq!(before, after);
    assert_eq!(app.list_integrations(&owner).await?.len(), 1);
    app.slack.behave(|behaviour| behaviour.token = TokenAnswer::NotJson);
    assert!(!re_authenticate().await?.success);
    let rows = rows(&app.host)?.into_iter().filter(|row| row["action"] == "re-install" && row["result"] == "failed");
    let recorded: Vec<_> = rows
        .map(|row| (row["integrationId"].clone(), row["externalId"].clone(), row["detail"]["reason"].clone()))
        .collect();
    let of = |reason: &str| (json!(id), json!("T0STANDIN"), json!(reason));
    assert_eq!(recorded, [of("other-account"), of("token-endpoint")], "each is a row");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_integration_of_this_organization_and_provider_can_be_re_authenticated() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let id = owner.install("acme", "slack").await?.dialog()?.data["id"].as_str().unwrap_or_default().to_owned();
    app.host.organization("other")?;
    app.host.member("other", "owner@example.com", "owner")?;
    for path in [
        format!("/organizations/acme/integrations/example/setup/?integration={id}"),
        format!("/organizations/other/integrations/slack/setup/?integration={id}"),
        "/organizations/acme/integrations/slack/setup/?integration=999".to_owned(),
        "/organizations/acme/integrations/slack/setup/?integration=x".to_owned(),
    ] {
        assert_eq!(owner.visit(&path).await?.status, 404, "{path}");
    }
    Ok(())
}

/// The webhook's URL, as the page of the fixture shows it.
fn webhook_of(page: &HttpResponse) -> Result<String> {
    let code = page.text.split("<code>").nth(1).and_then(|rest| rest.split("</code>").next());
    Ok(code.with_context(|| format!("no URL in {}", page.text))?.to_owned())
}

async fn install_again(user: &HttpClient, organization: &str) -> Result<String> {
    let url = webhook_of(&user.start_setup(organization, "minting").await?)?;
    assert!(user.post("/extensions/minting/setup/", &[]).await?.dialog()?.success);
    Ok(url)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_re_install_replaces_the_webhook_of_its_organization_and_no_other() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host.plugin("minting")).await?;
        let owner = app.log_in_as("owner").await?;
        app.host.organization("other")?;
        app.host.member("other", "owner@example.com", "owner")?;
        let service = HttpClient::new(&app.host.url);
        let theirs = install_again(&owner, "other").await?;
        let mut urls = Vec::new();
        for _ in 0..10 {
            urls.push(install_again(&owner, "acme").await?);
        }
        let abandoned = webhook_of(&owner.start_setup("acme", "minting").await?)?;
        let current = urls.pop().context("the last")?;
        assert_eq!(service.visit(&current).await?.status, 200, "a setup that has only begun replaces nothing");
        for superseded in &urls {
            assert_eq!(service.visit(superseded).await?.status, 404);
        }
        assert_eq!(service.visit(&theirs).await?.status, 200, "the other organization has set up nothing anew");
        assert_eq!(app.database().await?.webhooks().await?, 3, "one each, and that of the setup under way");
        owner.post("/auth/logout/", &[]).await?;
        assert_eq!(service.visit(&abandoned).await?.status, 404);
        assert_eq!(app.database().await?.webhooks().await?, 2);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setup_that_fails_leaves_no_webhook() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        app.slack.behave(|behaviour| behaviour.token = TokenAnswer::NotJson);
        assert!(!owner.install("acme", "slack").await?.dialog()?.success);
        assert_eq!(app.database().await?.webhooks().await?, 0);
    }
    Ok(())
}
