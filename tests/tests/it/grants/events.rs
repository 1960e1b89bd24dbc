//! Events from Slack: an uninstalled app, revoked tokens. In any order, and repeated.

use std::ops::Deref;

use anyhow::{Context, Result, ensure};
use futures_util::future::join_all;
use jackfield_store::{events, grants::Status};
use jackfield_test_support::{
    http_client::{HttpClient, HttpResponse},
    postgres::databases,
    stand_in::{Endpoint::Refresh, Rotation, TokenState},
    stand_in_slack::{Delivery, Install},
};
use reqwest::Method;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::{app::TestApp, audit::log::rows};

const TEAM: &str = "T0STANDIN";
const ADA: &str = "U0ADA";
const BOB: &str = "U0BOB";
const DAY: Duration = Duration::DAY;
const WITH_PEOPLE: &str = "signing-secret = \"stand-in-signing-secret\"\nuser-scopes = [\"search:read\"]";

/// An installed Slack with events, and with tokens of a bot and of a user.
struct EventsApp {
    base: TestApp,
    owner: HttpClient,
}

impl Deref for EventsApp {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.base
    }
}

/// The state of an integration: its status, and of each grant the name, subject, status, reason,
/// whether it is due, and generation.
type Left = (String, Vec<(String, String, Status, Option<String>, bool, i64)>);

impl EventsApp {
    async fn new(database: Option<String>) -> Result<Self> {
        Self::with(database, Rotation::Off).await
    }

    async fn with(database: Option<String>, rotation: Rotation) -> Result<Self> {
        let app = TestApp::start_with("v2", database, |host| host.toml(WITH_PEOPLE)).await?;
        app.slack.behave(|behaviour| behaviour.rotation = rotation);
        let owner = app.log_in_as("owner").await?;
        let app = Self { base: app, owner };
        app.install("acme").await?;
        Ok(app)
    }

    async fn install(&self, organization: &str) -> Result<()> {
        let installed = self.owner.install(organization, "slack").await?.dialog()?;
        ensure!(installed.success, "{:?}", installed.data);
        Ok(())
    }

    fn url(&self) -> String {
        self.host.at("/extensions/slack/events/")
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<HttpResponse> {
        self.slack.deliver(&self.url(), delivery).await
    }

    /// Delivers an event, and asserts that the response is what Slack wants.
    async fn tell(&self, delivery: &Delivery) -> Result<()> {
        let response = self.deliver(delivery).await?;
        ensure!((response.status, &*response.text) == (200, ""), "{response:?}");
        Ok(())
    }

    async fn left(&self, team: &str) -> Result<Left> {
        let stored = self.database().await?;
        let all = stored.integrations().await?;
        let one = all.iter().map(|(one, _)| &one.integration).find(|one| one.external_id == team);
        let grants = stored.grants(team).await?.into_iter().map(|(grant, _)| grant);
        let grants = grants
            .map(|one| (one.name, one.subject, one.status, one.reason, one.due_at.is_some(), one.generation))
            .collect();
        Ok((one.context("it stays")?.status.as_str().to_owned(), grants))
    }

    /// Status of the integration, and its active grants, as `bot`, `user U0ADA`.
    async fn usable(&self, team: &str) -> Result<(String, Vec<String>)> {
        let (status, grants) = self.left(team).await?;
        let active = grants.into_iter().filter(|(_, _, status, ..)| *status == Status::Active);
        Ok((status, active.map(|(name, subject, ..)| format!("{name} {subject}").trim_end().to_owned()).collect()))
    }

    /// Waits until only these grants of an integration are active.
    async fn until_usable(&self, team: &str, expected: &[&str]) -> Result<()> {
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(50));
        for _ in 0..600 {
            looks.tick().await;
            if self.usable(team).await?.1 == expected {
                return Ok(());
            }
        }
        anyhow::bail!("{:?}", self.left(team).await?)
    }

    /// The audit entries of the provider: organization, cause, grant, subject, event.
    fn audit_entries(&self) -> Result<Vec<[String; 5]>> {
        let rows = rows(&self.host)?;
        let theirs = rows.iter().filter(|row| row["actor"]["kind"] == "provider");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(theirs
            .map(|row| {
                assert!((&row["action"], &row["actor"]["name"]) == (&json!("revoke"), &json!("slack")), "{row}");
                assert!(row["pluginDigest"].is_string(), "{row}");
                let detail = &row["detail"];
                let fields =
                    [&row["organization"], &detail["cause"], &detail["grant"], &detail["subject"], &detail["event"]];
                fields.map(text)
            })
            .collect())
    }

    async fn page(&self) -> Result<String> {
        let id = self.database().await?.integrations().await?[0].0.integration.id;
        Ok(self.owner.visit(&format!("/organizations/acme/integrations/{id}/")).await?.text)
    }
}

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

/// Item 48 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_event_acts_once_and_is_answered_each_time() -> Result<()> {
    for database in databases() {
        let app = EventsApp::new(database).await?;
        let event = Delivery::uninstalled("Ev1", TEAM);
        let answers = join_all((0..4).map(|_| app.tell(&event))).await;
        answers.into_iter().collect::<Result<Vec<_>>>()?;
        assert_eq!(app.audit_entries()?.len(), 1);
        app.install("acme").await?;
        // A late delivery with another timestamp is recognised as the same.
        app.tell(&Delivery::uninstalled("Ev1", TEAM)).await?;
        assert_eq!(app.usable(TEAM).await?.0, "active");
        assert_eq!(app.audit_entries()?.len(), 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_known_for_two_days_and_of_many_at_once_one_is_news() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let now = OffsetDateTime::now_utc();
        let store = app.host.store().await?.at(now);
        let is_news = |provider: &'static str| store.write(move |tx| events::is_new(tx, provider, "Ev1"));
        let news = join_all((0..8).map(|_| is_news("slack"))).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        assert_eq!(news.into_iter().filter(|is_news| *is_news).count(), 1);
        assert!(is_news("other").await?, "another provider counts for itself");
        store.at(now + 2 * DAY - Duration::SECOND).sweep().await?;
        assert!(!is_news("slack").await?);
        store.at(now + 2 * DAY).sweep().await?;
        assert!(is_news("slack").await?);
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

/// Item 46 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_nobody_has_signed_is_refused_also_a_challenge() -> Result<()> {
    let app = EventsApp::new(None).await?;
    let before = app.left(TEAM).await?;
    for delivery in [Delivery::uninstalled("Ev1", TEAM), Delivery::challenge("chall3nge")] {
        let service = HttpClient::new(&app.url());
        for signature in ["", "v0=", &format!("v0={}", "0".repeat(64))] {
            let at = OffsetDateTime::now_utc().unix_timestamp().to_string();
            let request = service.request(Method::POST, &app.url()).header("x-slack-request-timestamp", at);
            let request = request.header("x-slack-signature", signature).body(delivery.body.to_string());
            let response = service.send(request).await?;
            assert_eq!((response.status, &*response.text), (401, ""), "{signature:?}");
        }
    }
    assert_eq!(app.left(TEAM).await?, before);
    let response = app.deliver(&Delivery::challenge("chall3nge")).await?;
    assert_eq!((response.status, &*response.text, response.header("content-type")), (200, "chall3nge", "text/plain"));
    let head = app.owner.send(app.owner.request(Method::HEAD, &app.url())).await?;
    // RFC 9110 section 15.5.6.
    assert_eq!((head.status, head.header("allow")), (405, "GET, POST, PUT"));
    Ok(())
}

/// Item 47 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_taken_for_five_minutes_either_way() -> Result<()> {
    let app = EventsApp::new(None).await?;
    for skew in [-330, 330] {
        let response = app.deliver(&Delivery::uninstalled("Ev1", TEAM).skewed(skew)).await?;
        assert_eq!(response.status, 401, "{skew}");
    }
    assert_eq!(app.usable(TEAM).await?.0, "active");
    for skew in [-270, 270] {
        app.tell(&Delivery::revoked("Ev2", TEAM, &["U0NOBODY"], &[]).skewed(skew)).await?;
    }
    Ok(())
}

/// Item 46 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_signing_secret_nobody_is_asked() -> Result<()> {
    let app = TestApp::start().await?;
    let calls = || -> Result<String> {
        let listed = app.host.output(&["plugin", "list"])?.1;
        let calls: Vec<_> = listed.lines().filter(|line| line.trim_start().starts_with("calls")).collect();
        ensure!(!calls.is_empty(), "{listed}");
        Ok(calls.join(" "))
    };
    let before = calls()?;
    for delivery in [Delivery::uninstalled("Ev1", TEAM), Delivery::challenge("c")] {
        let response = app.slack.deliver(&app.host.at("/extensions/slack/events/"), &delivery).await?;
        assert_eq!(response.status, 404);
    }
    assert_eq!(calls()?, before, "no plugin code has run");
    Ok(())
}

/// Item 37 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn neither_log_nor_database_tells_what_an_event_says() -> Result<()> {
    let app = TestApp::start_with("v2", None, |host| host.toml(WITH_PEOPLE).log("trace")).await?;
    let owner = app.log_in_as("owner").await?;
    assert!(owner.install("acme", "slack").await?.dialog()?.success);
    let url = app.host.at("/extensions/slack/events/");
    let message = Delivery::new("Ev1", TEAM, &json!({"type": "message", "text": "hush-hush"}));
    assert_eq!(app.slack.deliver(&url, &message).await?.status, 200);
    let revoked = Delivery::new("Ev2", TEAM, &json!({"type": "app_uninstalled", "text": "hush-hush"}));
    assert_eq!(app.slack.deliver(&url, &revoked).await?.status, 200);
    assert_eq!(app.slack.deliver_text(&url, "hush-hush, and no JSON", 0).await?.status, 400);
    let files =
        std::fs::read_dir(app.host.folder().join("data"))?.filter_map(|entry| std::fs::read(entry.ok()?.path()).ok());
    let all: Vec<u8> = files.flatten().chain(app.host.log()?.into_bytes()).collect();
    for secret in ["hush-hush", "stand-in-signing-secret"] {
        assert!(!all.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
    assert!(app.host.log()?.contains("/extensions/slack/events/"), "the path is not a secret");
    Ok(())
}

/// Item 51 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_events_leaves_setups_their_turn() -> Result<()> {
    let app = EventsApp::new(None).await?;
    let message = Delivery::new("Ev1", TEAM, &json!({"type": "message"}));
    let flood = join_all((0..100).map(|_| app.deliver(&message)));
    let (answers, set_up) = tokio::join!(flood, app.install("acme"));
    set_up?;
    for response in answers {
        let response = response?;
        assert!(matches!((response.status, response.header("retry-after")), (200, "") | (503, "1")), "{response:?}");
    }
    let large = app.slack.deliver_text(&app.url(), &"x".repeat(300_000), 0).await?;
    assert_eq!(large.status, 413);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_database_fails_the_service_is_told_so_and_tells_again() -> Result<()> {
    for database in databases() {
        let app = EventsApp::new(database).await?;
        let store = app.host.store().await?;
        let run = |sql: &'static str| store.tamper(sql);
        run("ALTER TABLE events RENAME TO lost").await?;
        assert_eq!(app.deliver(&Delivery::uninstalled("Ev1", TEAM)).await?.status, 500);
        assert_eq!(app.usable(TEAM).await?.0, "active", "nothing of it is stored");
        run("ALTER TABLE lost RENAME TO events").await?;
        app.tell(&Delivery::uninstalled("Ev1", TEAM)).await?;
        assert_eq!(app.usable(TEAM).await?.0, "needs-reauthentication");
    }
    Ok(())
}
