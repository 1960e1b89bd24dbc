//! Events from Slack: an uninstalled app, revoked tokens. In any order, and repeated.

use anyhow::Result;
use jackfield_store::grants::Status;
use jackfield_test_support::{
    postgres::databases,
    stand_in::{Endpoint::Refresh, Rotation, TokenState},
    stand_in_slack::{Delivery, Install},
};
use serde_json::json;
use time::OffsetDateTime;

use super::events_app::{ADA, BOB, DAY, EventsApp, TEAM};
use crate::audit::log::rows;

const ALL: [&str; 2] = ["bot", "user U0ADA"];

/// Item 49 of the security checklist: all organizations that share the account are told, and no
/// other is changed.
#[tokio::test(flavor = "multi_thread")]
async fn an_uninstall_marks_the_integration_with_all_its_grants_and_says_who_did_it() -> Result<()> {
    for database in databases() {
        let app = EventsApp::new(database).await?;
        app.host.organization("other")?;
        app.host.member("other", "owner@example.com", "owner")?;
        app.install("other").await?;
        app.slack.behave(|behaviour| behaviour.team_id = "T0ELSEWHERE".to_owned());
        app.install("acme").await?;
        assert_eq!(app.usable(TEAM).await?, ("active".to_owned(), ALL.map(str::to_owned).to_vec()));
        app.tell(&Delivery::uninstalled("Ev1", TEAM)).await?;
        assert_eq!(app.usable(TEAM).await?, ("needs-reauthentication".to_owned(), Vec::new()));
        let entry = |slug: &str| [slug, "uninstalled", "", "", "Ev1"].map(str::to_owned);
        assert_eq!(app.audit_entries()?, [entry("acme"), entry("other")]);
        let page = app.page().await?;
        assert!(page.contains("Slack ended this connection") && page.contains("Slack ended it."), "{page}");
        assert_eq!(app.usable("T0ELSEWHERE").await?.0, "active", "another workspace goes on");
        // Connecting again restores everything.
        app.slack.behave(|behaviour| behaviour.team_id = TEAM.to_owned());
        app.install("acme").await?;
        assert_eq!(app.usable(TEAM).await?, ("active".to_owned(), ALL.map(str::to_owned).to_vec()));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_person_loses_their_grant_and_the_bot_works_on() -> Result<()> {
    for database in databases() {
        let app = EventsApp::new(database).await?;
        app.slack.behave(|behaviour| behaviour.user_id = BOB.to_owned());
        app.install("acme").await?;
        app.tell(&Delivery::revoked("Ev1", TEAM, &[ADA, "U0NOBODY"], &[])).await?;
        assert_eq!(app.usable(TEAM).await?, ("active".to_owned(), vec!["bot".to_owned(), format!("user {BOB}")]));
        assert_eq!(app.audit_entries()?, [["acme", "tokens-revoked", "user", ADA, "Ev1"].map(str::to_owned)]);
        let identities = app.database().await?.identities("owner@example.com").await?;
        let status = |id: &str| identities.iter().find(|one| one["external_id"] == id).map(|one| one["status"].clone());
        assert_eq!((status(ADA), status(BOB)), (Some(json!("invalid")), Some(json!("valid"))));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_bot_token_marks_the_integration() -> Result<()> {
    for database in databases() {
        let app = EventsApp::new(database).await?;
        app.tell(&Delivery::revoked("Ev1", TEAM, &[], &["U0BOT"])).await?;
        assert_eq!(app.usable(TEAM).await?, ("needs-reauthentication".to_owned(), vec![format!("user {ADA}")]));
        assert_eq!(app.audit_entries()?, [["acme", "tokens-revoked", "bot", "", "Ev1"].map(str::to_owned)]);
    }
    Ok(())
}

fn orders() -> Vec<[usize; 3]> {
    vec![[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
}

/// Item 50 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn uninstall_and_revocation_in_any_order_and_twice_end_the_same() -> Result<()> {
    for database in databases() {
        let app = EventsApp::new(database).await?;
        let mut ends = Vec::new();
        for (round, order) in orders().into_iter().enumerate() {
            let team = format!("T0ROUND{round}");
            app.slack.behave(|behaviour| behaviour.team_id.clone_from(&team));
            app.install("acme").await?;
            let delivery = |n: usize, time: u8| match n {
                0 => Delivery::uninstalled(&format!("{team}-0-{time}"), &team),
                1 => Delivery::revoked(&format!("{team}-1-{time}"), &team, &[ADA], &[]),
                _ => Delivery::revoked(&format!("{team}-2-{time}"), &team, &[], &["U0BOT"]),
            };
            // In this order and in the reverse, first the same deliveries, then others with the
            // same content.
            for time in [0, 0, 1] {
                for at in order {
                    app.tell(&delivery(at, time)).await?;
                    app.tell(&delivery(order[2 - at], time)).await?;
                }
            }
            ends.push(app.left(&team).await?);
        }
        assert_eq!(ends[0].0, "needs-reauthentication");
        assert!(ends[0].1.iter().all(|grant| grant.2 == Status::NeedsReauthentication), "{:?}", ends[0]);
        assert!(ends.iter().all(|end| *end == ends[0]), "{ends:#?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_rotate_end_the_same_in_any_order_too() -> Result<()> {
    let app = EventsApp::with(None, Rotation::ReuseDetected).await?;
    for (round, order) in orders().into_iter().enumerate() {
        let team = format!("T0ROUND{round}");
        app.slack.behave(|behaviour| behaviour.team_id.clone_from(&team));
        app.install("acme").await?;
        app.slack.tokens().revoke_all_of(&team);
        for at in order {
            let id = format!("{team}-{at}");
            app.tell(&match at {
                0 => Delivery::uninstalled(&id, &team),
                1 => Delivery::revoked(&id, &team, &[ADA], &[]),
                _ => Delivery::revoked(&id, &team, &[], &["U0BOT"]),
            })
            .await?;
        }
        app.until_usable(&team, &[]).await?;
        assert_eq!(app.usable(&team).await?.0, "needs-reauthentication");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_from_before_a_re_install_ends_nothing_of_it_and_an_older_grant_all_the_same() -> Result<()> {
    for database in databases() {
        let app = EventsApp::new(database).await?;
        // Ada's token was issued half a day ago, like the bot's that Bob has replaced.
        app.database().await?.let_live(TEAM, "user", DAY).await?;
        app.slack.behave(|behaviour| behaviour.user_id = BOB.to_owned());
        app.install("acme").await?;
        let expected = ("active".to_owned(), vec!["bot".to_owned(), format!("user {BOB}")]);
        for (id, delivery) in [Delivery::uninstalled("Ev1", TEAM), Delivery::revoked("Ev2", TEAM, &[ADA, BOB], &["B"])]
            .into_iter()
            .enumerate()
        {
            app.tell(&delivery.ago(3600)).await?;
            assert_eq!(app.usable(TEAM).await?, expected, "{id}");
        }
        assert_eq!(app.audit_entries()?.len(), 1, "a change of nothing is not an entry");
        app.tell(&Delivery::uninstalled("Ev3", TEAM)).await?;
        assert_eq!(app.usable(TEAM).await?, ("needs-reauthentication".to_owned(), Vec::new()));
    }
    Ok(())
}

/// The host revokes a user's old token when they connect again, and Slack may send an event for
/// that.
#[tokio::test(flavor = "multi_thread")]
async fn the_echo_of_a_re_install_does_not_end_what_has_replaced_it() -> Result<()> {
    let app = EventsApp::with(None, Rotation::ReuseDetected).await?;
    let before = app.database().await?.grants(TEAM).await?;
    app.install("acme").await?;
    app.database().await?.settled().await?;
    assert_eq!(app.slack.tokens().state(&before[1].1.access_token), TokenState::Revoked, "the old one is revoked");
    app.tell(&Delivery::revoked("Ev1", TEAM, &[ADA], &[])).await?;
    app.slack.faults().wait_for_requests(Refresh, 1).await;
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(50));
    // Wait until the refresh is stored.
    while app.database().await?.grants(TEAM).await?[1].0.due_at.is_some_and(|at| at <= OffsetDateTime::now_utc()) {
        looks.tick().await;
    }
    assert_eq!(app.usable(TEAM).await?, ("active".to_owned(), ALL.map(str::to_owned).to_vec()));
    assert_eq!(app.audit_entries()?.len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_grant_that_can_be_refreshed_is_put_to_the_test_once() -> Result<()> {
    for database in databases() {
        let app = EventsApp::with(database, Rotation::ReuseDetected).await?;
        let tokens = app.database().await?.grants(TEAM).await?.remove(1).1;
        app.slack.tokens().revoke_family(&tokens.access_token);
        for _ in 0..3 {
            app.tell(&Delivery::revoked("Ev1", TEAM, &[ADA], &[])).await?;
        }
        app.until_usable(TEAM, &["bot"]).await?;
        assert_eq!(app.slack.faults().requests(Refresh), 1);
        let failed = rows(&app.host)?.into_iter().filter(|row| row["action"] == "refresh-failure");
        assert_eq!(failed.count(), 1, "it is recorded as what it is");
    }
    Ok(())
}

/// Item 49 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_workspace_that_is_not_installed_changes_nothing() -> Result<()> {
    let app = EventsApp::new(None).await?;
    let before = (app.left(TEAM).await?, rows(&app.host)?.len());
    for team in ["T0OTHER", "", "T0STANDIN\0", "t0standin", " T0STANDIN", &"T".repeat(300)] {
        app.tell(&Delivery::uninstalled("Ev1", team)).await?;
        app.tell(&Delivery::revoked("Ev2", team, &[ADA], &["B"])).await?;
    }
    // It was not installed then, and is known now.
    app.slack.behave(|behaviour| behaviour.team_id = "T0OTHER".to_owned());
    app.install("acme").await?;
    app.tell(&Delivery::uninstalled("Ev1", "T0OTHER")).await?;
    assert_eq!(app.usable("T0OTHER").await?.0, "needs-reauthentication", "no other row has its id");
    assert_eq!(app.left(TEAM).await?, before.0);
    for path in ["/extensions/example/events/", "/extensions/none/events/", "/extensions/slack/events/x/"] {
        let response = app.slack.deliver(&app.host.at(path), &Delivery::uninstalled("Ev3", TEAM)).await?;
        assert_eq!(response.status, 404, "{path}");
    }
    assert_eq!(app.left(TEAM).await?, before.0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_uninstall_leaves_the_install_of_its_enterprise_alone() -> Result<()> {
    let app = EventsApp::new(None).await?;
    app.slack.behave(|behaviour| behaviour.install = Install::Enterprise);
    app.install("acme").await?;
    app.tell(&Delivery::uninstalled("Ev1", TEAM).in_enterprise("E0STANDIN", false)).await?;
    assert_eq!(app.usable(TEAM).await?.0, "needs-reauthentication");
    assert_eq!(app.usable("E0STANDIN").await?.0, "active");
    app.tell(&Delivery::uninstalled("Ev2", TEAM).in_enterprise("E0STANDIN", true)).await?;
    assert_eq!(app.usable("E0STANDIN").await?.0, "needs-reauthentication");
    Ok(())
}
