//! Reading tokens: refreshed in time and once for all callers, kept through outages, never spent
//! twice.

use std::ops::Deref;

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use insta::{allow_duplicates, assert_snapshot};
use jackfield_test_support::{
    host::{Host, HostBuilder},
    http_client::HttpClient,
    postgres::fresh_database,
    stand_in::{
        Endpoint::{Refresh, Revocation, Uninstall},
        Fault, HoldPoint, Rotation, TokenState,
    },
    stand_in_slack::StandInSlack,
};
use reqwest::Method;
use serde_json::json;
use time::Duration;

use crate::{
    app::{ApiClient, AppDatabase, TestApp, bare, log_line, owner_of_acme, redacted, slack_options},
    keys::rotation::spoil,
};

const TEAM: &str = "T0STANDIN";
/// Long enough for a test to be over before.
const AGES: Duration = Duration::minutes(5);
const EXPIRED: Duration = Duration::seconds(-1);

/// An installed Slack whose tokens rotate, and a client that may read them.
struct TokensApp {
    base: TestApp,
    owner: HttpClient,
    client: ApiClient,
}

impl Deref for TokensApp {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.base
    }
}

impl TokensApp {
    async fn new() -> Result<Self> {
        Self::with("").await
    }

    /// With further options of Slack's.
    async fn with(options: &str) -> Result<Self> {
        let app = TestApp::start_with("v2", None, |host| host.toml(options)).await?;
        let (owner, client) = app.install_rotating_slack().await?;
        Ok(Self { base: app, owner, client })
    }

    async fn let_live(&self, grant: &str, life: Duration) -> Result<()> {
        Ok(self.database().await?.let_live(TEAM, grant, life).await?)
    }

    fn refreshes(&self) -> usize {
        self.slack.faults().requests(Refresh)
    }

    fn next(&self, fault: Fault) {
        self.slack.faults().next(Refresh, [Some(fault)]);
    }

    fn state(&self, token: &str) -> TokenState {
        self.slack.tokens().state(token)
    }

    async fn page(&self) -> Result<String> {
        let id = self.client.path.rsplit('/').nth(1).context("an id")?;
        Ok(self.owner.visit(&format!("/organizations/acme/integrations/{id}/")).await?.text)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_will_live_a_while_is_returned_as_it_is() -> Result<()> {
    let app = TokensApp::new().await?;
    let response = app.client.get_token("").await?;
    let mut json = response.json()?;
    assert_eq!((response.status, response.header("cache-control")), (200, "no-store"));
    let token = json["accessToken"].take();
    assert_eq!(app.state(token.as_str().context("a token")?), TokenState::Live);
    assert!(json["expiresAt"].take().is_string());
    assert_eq!(
        json,
        json!({"accessToken": null, "tokenType": "Bearer", "expiresAt": null, "grant": "bot", "subject": null,
            "scopes": ["chat:write", "commands", "team:read"]})
    );
    assert_eq!(app.refreshes(), 0);
    let absent = app.client.get_token("user").await?;
    let said = absent.json()?["detail"].take();
    assert_eq!(
        (absent.status, said),
        (404, "The integration has no such grant.".into()),
        "nobody asked for a person's"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_client_with_the_scope_reads_tokens_of_its_own_organization() -> Result<()> {
    let app = TokensApp::new().await?;
    let TokensApp { base: app, owner, client } = &app;
    let path = format!("{}token/", client.path);
    assert_eq!(owner.visit(&path).await?.status, 403, "no role has the scope");
    assert_eq!(HttpClient::new(&app.host.url).visit(&path).await?.status, 401);
    let reader = app.host.token("acme", &["org:read", "org:write", "org:integrations"])?;
    let as_reader = ApiClient::with_token(&app.host, &reader);
    assert_eq!(as_reader.get(&path).await?.status, 403);
    app.host.organization("other")?;
    let other = app.host.token("other", &["integrations:token"])?;
    let as_other = ApiClient::with_token(&app.host, &other);
    assert_eq!(as_other.get(&path).await?.status, 404, "another organization's token, on acme's path");
    assert_eq!(as_other.get(&path.replace("acme", "other")).await?.status, 404, "not linked there");
    let absent = client.get(&path.replace("/integrations/", "/integrations/9")).await?;
    let said = absent.json()?["detail"].take();
    assert_eq!((absent.status, said), (404, "The requested resource does not exist.".into()));
    assert!(!app.host.log()?.contains("xoxe"), "no token is in the log");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_about_to_expire_is_refreshed_before_it_is_returned_and_replaced_wherever_it_stands() -> Result<()> {
    let app = TokensApp::new().await?;
    let old = app.client.access_token("bot").await?;
    app.let_live("bot", AGES).await?;
    let renewed = app.client.get_token("bot").await?.json()?;
    assert_eq!(renewed["tokenType"], "Bearer", "also if the provider calls it `bot`");
    let new = renewed["accessToken"].as_str().context("a token")?.to_owned();
    assert_ne!(new, old);
    assert_eq!((app.state(&new), app.refreshes()), (TokenState::Live, 1));
    assert_eq!(app.client.access_token("bot").await?, new, "and it is stored");
    assert_eq!(app.refreshes(), 1);
    let stored = app.database().await?;
    assert_eq!(stored.integrations().await?[0].1["bot_access_token"], json!(new));
    let grants = stored.grants(TEAM).await?;
    let tokens = &grants[0].1;
    assert_eq!(tokens.access_token, new);
    assert_eq!(
        app.state(tokens.refresh_token.as_deref().context("a refresh token")?),
        TokenState::Live,
        "the next one"
    );
    assert_eq!(grants[0].0.is_single_use, Some(true));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bot_and_person_rotate_apart() -> Result<()> {
    let app = TokensApp::with("user-scopes = [\"search:read\"]").await?;
    let (bot, user) = (app.client.access_token("bot").await?, app.client.access_token("user").await?);
    let mut known = app.client.get(&format!("{}grants/", app.client.path)).await?.json()?;
    for grant in known.as_array_mut().context("a list")? {
        assert!(grant["expiresAt"].take().is_string(), "{grant}");
    }
    assert_eq!(
        known,
        json!([
            {"name": "bot", "subject": null, "expiresAt": null, "scopes": ["chat:write", "commands", "team:read"]},
            {"name": "user", "subject": "U0ADA", "expiresAt": null, "scopes": ["search:read"]},
        ]),
        "what to ask for"
    );
    let said = app.client.get(&format!("{}token/?grant=user&subject=U0ADA", app.client.path)).await?.json()?;
    assert_eq!((&said["subject"], &said["scopes"]), (&json!("U0ADA"), &json!(["search:read"])));
    app.let_live("user", AGES).await?;
    let renewed = app.client.access_token("user").await?;
    assert_ne!(renewed, user);
    assert_eq!((app.client.access_token("bot").await?, app.refreshes()), (bot.clone(), 1));
    let identities = app.database().await?.identities("owner@example.com").await?;
    assert_eq!(identities[0]["data"]["access_token"], json!(renewed), "it is replaced in its place");
    // The person's token is revoked: that is no matter of the bot's.
    app.let_live("user", EXPIRED).await?;
    app.next(Fault::Refused { error: "token_revoked".to_owned() });
    assert_eq!(app.client.get_token("user").await?.status, 409);
    assert_eq!((app.client.access_token("bot").await?, app.client.status().await?), (bot, json!("active")));
    let identities = app.database().await?.identities("owner@example.com").await?;
    assert_eq!(identities[0]["status"], "invalid");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_callers_on_two_hosts_spend_one_refresh_token_once() -> Result<()> {
    let Some(database) = fresh_database() else { return Ok(()) };
    let key = "a key that both hosts have, of more than thirty-two characters";
    let slack = StandInSlack::start().await?;
    slack.behave(|behaviour| behaviour.rotation = Rotation::ReuseDetected);
    // The answer is held for longer than others are waited for.
    let options = slack_options(&slack, "v2").replace("timeout = 2", "timeout = 60");
    let build =
        || -> HostBuilder { bare().plugin("slack").database(Some(database.clone())).secret_key(key).toml(&options) };
    let (one, two) = (build().start()?, build().start()?);
    let owner = owner_of_acme(&one).await?;
    let installed = owner.install("acme", "slack").await?.dialog()?;
    let mut client = ApiClient::of_integration(&one, &installed.data)?;
    // The scope to read a token is enough.
    one.token("acme", &["integrations:token"])?.trim().clone_into(&mut client.token);
    AppDatabase::of(&one).await?.let_live(TEAM, "bot", EXPIRED).await?;

    // The answer is held until both hosts have all their callers in hand.
    let hold = slack.faults().hold(Refresh, HoldPoint::AfterHandling);
    let callers: Vec<ApiClient> = (0..32).flat_map(|_| [client.at(&one), client.at(&two)]).collect();
    let reads =
        tokio::spawn(async move { try_join_all(callers.iter().map(|caller| caller.access_token("bot"))).await });
    hold.wait_for(1).await;
    for host in [&one, &two] {
        has_in_hand(host, 32).await?;
    }
    hold.release();
    let tokens = reads.await??;
    assert_eq!((tokens.len(), slack.faults().requests(Refresh)), (64, 1), "one request at the provider");
    assert!(tokens.iter().all(|token| *token == tokens[0]), "and all callers get its result");
    assert_eq!(slack.tokens().state(&tokens[0]), TokenState::Live);
    Ok(())
}

/// Waits until so many callers have found a token about to expire, by a host's own log.
async fn has_in_hand(host: &Host, callers: usize) -> Result<()> {
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
    while host.log()?.matches("a token about to expire is asked for").count() < callers {
        looks.tick().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_keeps_the_old_token_while_it_lives_and_leaves_the_provider_alone() -> Result<()> {
    let app = TokensApp::new().await?;
    let old = app.client.access_token("bot").await?;
    app.let_live("bot", AGES).await?;
    app.next(Fault::Unavailable { retry_after: 60 });
    for _ in 0..5 {
        assert_eq!(app.client.access_token("bot").await?, old);
    }
    assert_eq!(app.refreshes(), 1, "it asked for a pause");
    assert_eq!(app.client.status().await?, "active");
    assert!(app.page().await?.contains("The last renewal failed"), "the page says so");
    // When the old one has expired, there is none to return.
    app.let_live("bot", EXPIRED).await?;
    app.next(Fault::TooManyRequests { retry_after: 60 });
    let response = app.client.get_token("bot").await?;
    assert_eq!((response.status, response.header("retry-after")), (503, "60"));
    assert_eq!(app.client.get_token("bot").await?.status, 503);
    assert_eq!(app.refreshes(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_has_revoked_needs_reauthentication_and_is_asked_for_once() -> Result<()> {
    let app = TokensApp::new().await?;
    app.let_live("bot", AGES).await?;
    app.next(Fault::Refused { error: "invalid_grant".to_owned() });
    for _ in 0..3 {
        let response = app.client.get_token("bot").await?;
        assert_eq!(response.status, 409);
        let problem = response.json()?;
        allow_duplicates! {
            assert_snapshot!(redacted(&format!("{problem:#}")), @r#"
            {
              "code": "needs-reauthentication",
              "detail": "The integration needs re-authentication: somebody must connect it again on its page.",
              "requestId": "[id]",
              "status": 409,
              "title": "Re-authentication needed",
              "type": "http://127.0.0.1:[port]/api/errors/#needs-reauthentication"
            }
            "#);
        }
    }
    assert_eq!(app.refreshes(), 1, "and not too often");
    assert_eq!(app.client.status().await?, "needs-reauthentication");
    let page = app.page().await?;
    assert!(page.contains("no longer renews this connection") && page.contains(">Reconnect</a>"), "{page}");
    assert_eq!(app.host.log()?.matches("a grant is over").count(), 1, "told once");

    let again = app.owner.install("acme", "slack").await?.dialog()?;
    assert!(again.success, "{:?}", again.data);
    assert_eq!(app.client.status().await?, "active", "a new setup repairs it");
    assert_eq!(app.state(&app.client.access_token("bot").await?), TokenState::Live);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_use_token_whose_answer_was_lost_is_never_sent_again() -> Result<()> {
    let mut lost = Vec::new();
    for fault in [Fault::LostResponse, Fault::TruncatedResponse, Fault::NotJson] {
        let app = TokensApp::new().await?;
        let old = app.client.access_token("bot").await?;
        app.let_live("bot", AGES).await?;
        app.next(fault.clone());
        for _ in 0..3 {
            assert_eq!(app.client.access_token("bot").await?, old, "{fault:?}: it lives");
        }
        lost.push(log_line(&app.host, "the answer of a refresh was lost")?);
        let refresh = app.database().await?.refresh(TEAM).await?.context("known")?;
        assert!(refresh.sent_at.is_some() && refresh.leased_until.is_none());
        assert_eq!(app.refreshes(), 1, "{fault:?}");
        assert_eq!(app.state(&old), TokenState::Live, "no used token revoked the family");
    }
    assert_snapshot!(lost.join("\n"), @r#"
    ERROR the answer of a refresh was lost grant.id=1 grant.name="bot" integration.id=1 retry_at=[time] error="the request to the token endpoint failed: client error (SendRequest): connection closed before message completed"
    ERROR the answer of a refresh was lost grant.id=1 grant.name="bot" integration.id=1 retry_at=[time] error="the request to the token endpoint failed: client error (SendRequest): connection closed before message completed"
    ERROR the answer of a refresh was lost grant.id=1 grant.name="bot" integration.id=1 retry_at=[time] error="the token endpoint answered status 200 with a body that is not JSON"
    "#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_use_token_that_a_broken_server_may_have_used_is_not_sent_again_while_the_old_one_lives() -> Result<()>
{
    for fault in [
        Fault::ServerErrorAfterHandling,
        Fault::ServerError,
        Fault::Refused { error: "internal_error".to_owned() },
        Fault::Refused { error: "fatal_error".to_owned() },
    ] {
        let app = TokensApp::new().await?;
        let old = app.client.access_token("bot").await?;
        app.let_live("bot", AGES).await?;
        app.next(fault.clone());
        for _ in 0..3 {
            assert_eq!(app.client.access_token("bot").await?, old, "{fault:?}");
        }
        let stored = app.database().await?;
        let (refresh, grants) = (stored.refresh(TEAM).await?.context("known")?, stored.grants(TEAM).await?);
        assert_eq!(refresh.retry_at, grants[0].0.expires_at, "{fault:?}: at its end there is nothing to lose");
        assert_eq!((app.refreshes(), app.state(&old)), (1, TokenState::Live), "{fault:?}");
        assert_eq!(app.client.status().await?, "active");
    }
    // One that has expired is asked for again soon.
    let app = TokensApp::new().await?;
    app.let_live("bot", EXPIRED).await?;
    app.next(Fault::ServerError);
    assert_eq!(app.client.get_token("bot").await?.status, 503);
    let refresh = app.database().await?.refresh(TEAM).await?.context("known")?;
    let wait = refresh.retry_at.context("it is tried again")? - time::OffsetDateTime::now_utc();
    assert!((1..=5).contains(&wait.whole_seconds()), "{wait}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_refresh_that_ends_after_the_integration_was_removed_are_revoked() -> Result<()> {
    let app = TokensApp::new().await?;
    app.let_live("bot", AGES).await?;
    let faults = app.slack.faults();
    // So that each token has to be revoked by itself.
    faults.always(Uninstall, Some(Fault::Refused { error: "client_id_mismatch".to_owned() }));
    let hold = faults.hold(Refresh, HoldPoint::AfterHandling);
    let caller = app.client.clone();
    let read = tokio::spawn(async move { caller.get_token("bot").await });
    hold.wait_for(1).await;
    let removed = app.owner.send(app.owner.request(Method::DELETE, &app.client.path)).await?;
    assert_eq!(removed.status, 204);
    hold.release();
    assert_eq!(read.await??.status, 404);
    // The bot's old token, and the one that came too late.
    faults.wait_for_requests(Revocation, 2).await;
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
    while app.slack.tokens().live_access_tokens().iter().any(|token| token.starts_with("xoxe.xoxb")) {
        looks.tick().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_listen_leaves_the_leases_of_the_host_that_does() -> Result<()> {
    let app = TokensApp::new().await?;
    app.let_live("bot", AGES).await?;
    let hold = app.slack.faults().hold(Refresh, HoldPoint::BeforeHandling);
    let caller = app.client.clone();
    let read = tokio::spawn(async move { caller.access_token("bot").await });
    hold.wait_for(1).await;
    let (succeeded, said) = app.host.output(&["serve", "--config", "jackfield.toml"])?;
    assert!(!succeeded, "{said}");
    let error = said.lines().find(|line| line.contains("cannot listen")).unwrap_or_default();
    assert_snapshot!(redacted(error), @"jackfield.toml:5: system.listen: cannot listen on 127.0.0.1:[port]: Address already in use (os error 98)");
    let refresh = app.database().await?.refresh(TEAM).await?.context("under way")?;
    assert!(refresh.leased_until.is_some(), "the other host still has the lease");
    hold.release();
    assert_eq!(app.state(&read.await??), TokenState::Live);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_do_not_open_keep_no_token_from_being_refreshed() -> Result<()> {
    let app = TokensApp::new().await?;
    let old = app.client.access_token("bot").await?;
    app.let_live("bot", EXPIRED).await?;
    spoil(&app.host, "UPDATE organization_integrations SET sealed_metadata = X'01'")?;
    let new = app.client.access_token("bot").await?;
    assert_ne!(new, old);
    assert_eq!((app.state(&new), app.refreshes()), (TokenState::Live, 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_killed_in_the_middle_of_a_refresh_finds_it_again() -> Result<()> {
    let app = TokensApp::new().await?;
    app.let_live("bot", EXPIRED).await?;
    let hold = app.slack.faults().hold(Refresh, HoldPoint::AfterHandling);
    let caller = app.client.clone();
    let read = tokio::spawn(async move { caller.get_token("bot").await });
    hold.wait_for(1).await;
    let TestApp { host, slack } = app.base;
    let host =
        host.killed_and_restarted(bare().plugin("example").plugin("slack").toml(&slack_options(&slack, "v2")))?;
    assert!(read.await?.is_err(), "its caller got no response");
    hold.release();
    let response = app.client.get_token("bot").await?;
    assert_eq!(response.status, 409, "{}\n{}", response.text, host.log()?);
    assert_eq!(slack.faults().requests(Refresh), 1, "the used token is not sent again");
    assert_eq!(app.client.status().await?, "needs-reauthentication");
    assert_snapshot!(log_line(&host, "a refresh was sent and its answer lost")?, @r#"WARN a refresh was sent and its answer lost grant.id=1 grant.name="bot" integration.id=1 sent_at=[time]"#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_nobody_asks_for_is_refreshed_before_it_lapses() -> Result<()> {
    let app = TokensApp::new().await?;
    app.let_live("bot", EXPIRED).await?;
    let TestApp { host, slack } = app.base;
    let host = host.restart(bare().plugin("example").plugin("slack").toml(&slack_options(&slack, "v2")))?;
    slack.faults().wait_for_requests(Refresh, 1).await;
    let new = app.client.access_token("bot").await?;
    assert_eq!((slack.tokens().state(&new), slack.faults().requests(Refresh)), (TokenState::Live, 1));
    drop(host);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_does_not_answer_keeps_no_other_grant_waiting() -> Result<()> {
    let app = TokensApp::with("user-scopes = [\"search:read\"]").await?;
    for grant in ["bot", "user"] {
        app.let_live(grant, EXPIRED).await?;
    }
    let TestApp { host, slack } = app.base;
    let hold = slack.faults().hold(Refresh, HoldPoint::BeforeHandling);
    let options = slack_options(&slack, "v2").replace("timeout = 2", "timeout = 60");
    let host = host.restart(bare().plugin("example").plugin("slack").toml(&options))?;
    hold.wait_for(2).await;
    hold.release();
    drop(host);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_mints_tokens_its_own_way_and_gets_fresh_ones_when_it_is_called() -> Result<()> {
    let app = TestApp::start_with("v2", None, |host| host.plugin("minting")).await?;
    let owner = app.log_in_as("owner").await?;
    let page = owner.start_setup("acme", "minting").await?;
    let url =
        page.text.split("<code>").nth(1).and_then(|rest| rest.split("</code>").next()).context("a URL")?.to_owned();
    let service = HttpClient::new(&app.host.url);
    let before = service.visit(&url).await?;
    assert_eq!(before.status, 500, "no integration, no token");
    assert!(owner.post("/extensions/minting/setup/", &[]).await?.dialog()?.success);
    assert_eq!(service.visit(&url).await?.text, "minted-0");
    for count in 1..=3 {
        app.database().await?.let_live("mint", "own", EXPIRED).await?;
        assert_eq!(service.visit(&url).await?.text, format!("minted-{count}"));
        assert_eq!(service.visit(&url).await?.text, format!("minted-{count}"), "it is fresh");
    }
    assert_eq!(service.visit(&format!("{url}?grant=other")).await?.status, 500, "there is no such grant");
    app.database().await?.let_live("mint", "own", EXPIRED).await?;
    assert_eq!(service.visit(&url).await?.status, 500, "it refuses a fourth");
    assert_snapshot!(log_line(&app.host, "three are enough")?, @r#"WARN a webhook failed provider.id="minting" plugin.name="jackfield-fixture-minting" plugin.reason="fault" error=the integration needs its person to authenticate again: three are enough"#);
    assert!(!app.host.log()?.contains("minted-1"), "no token is in the log");
    Ok(())
}
