//! What a user reads when a setup fails: the failed check, a reference into the log, a way to start
//! again, and no secret.

use anyhow::{Context, Result};
use futures_util::{StreamExt, stream::FuturesUnordered};
use jackfield_test_support::{
    host::Host,
    http_client::{HttpClient, HttpResponse},
    postgres::fresh_database,
    stand_in_slack::{StandInSlack, TokenAnswer},
};

use crate::app::{TestApp, bare, owner_of_acme, slack_options};

const INVALID: &str = "An error occurred while validating your request.";

/// The text between two others.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

/// The check and the reference on the page of a failed setup. The log has a line with both.
pub(crate) fn quoted<'a>(host: &Host, page: &'a str) -> Result<(&'a str, &'a str)> {
    let check = between(page, "failed check <code>", "</code>").context(page.to_owned())?;
    let reference = between(page, "reference <code>", "</code>").context("a reference")?;
    let log = host.log()?;
    let found = log.lines().find(|line| line.contains(reference) && line.contains(check));
    found.with_context(|| format!("{reference} and {check} in one line of {log}"))?;
    Ok((check, reference))
}

/// The same on the page after a refused request.
pub(crate) async fn quoted_next(host: &Host, user: &HttpClient, refused: &HttpResponse) -> Result<String> {
    assert_eq!(refused.status_and_location(), (302, "/"));
    let mut page = user.visit("/").await?;
    while page.status == 302 {
        page = user.visit(page.status_and_location().1).await?;
    }
    let check = between(&page.text, "failed check ", ",").context(page.text.clone())?;
    let reference = between(&page.text, "reference ", "<").context("a reference")?;
    let log = host.log()?;
    let is_found = log.lines().any(|line| line.contains(reference) && line.contains(&format!("\"{check}\"")));
    assert!(is_found, "{reference} and {check} in one line of {log}");
    Ok(check.to_owned())
}

fn value(url: &str, name: &str) -> String {
    let url = url::Url::parse(url).expect("the stand-in answers URLs");
    url.query_pairs().find(|(key, _)| key == name).map_or_else(String::new, |(_, value)| value.into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_check_of_an_answer_is_named_on_the_page_and_in_the_log_and_no_secret_is() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    type Change = fn(&str, &str) -> String;
    let cases: [(&str, Change); 5] = [
        ("state-missing", |code, _| format!("code={code}")),
        ("state-other", |code, state| format!("code={code}&state={state}x")),
        ("parameter-repeated", |code, state| format!("code={code}&code={code}&state={state}")),
        ("code-and-error", |code, state| format!("code={code}&error=e&state={state}")),
        ("declined", |_, state| format!("error=access_denied&state={state}")),
    ];
    let mut codes = Vec::new();
    for (wanted, change) in cases {
        let step = owner.start_setup("acme", "slack").await?;
        let back = owner.consent(&step).await?;
        let (code, state) = (value(&back, "code"), value(&back, "state"));
        codes.push(code.clone());
        let page = owner.visit(&format!("/extensions/slack/setup/?{}", change(&code, &state))).await?;
        let detail = if wanted == "declined" { "access_denied" } else { INVALID };
        assert_eq!(
            page.dialog()?.data,
            serde_json::json!({"detail": detail}),
            "the opener gets the same message as ever"
        );
        let (check, _) = quoted(&app.host, &page.text)?;
        assert_eq!(check, wanted);
        for secret in [&code, &state, &app.slack.client().secret] {
            assert!(!page.text.contains(secret.as_str()), "{wanted}: {}", page.text);
        }
    }
    let log = app.host.log()?;
    for code in codes {
        assert!(!log.contains(&code), "{log}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_leads_to_a_fresh_start_in_the_same_organization() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    owner.start_setup("acme", "slack").await?;
    let page = owner.visit("/extensions/slack/setup/?error=access_denied").await?;
    assert_eq!(quoted(&app.host, &page.text)?.0, "state-missing");
    let again = between(&page.text, "class=\"button\" href=\"", "\"").context("a way to start again")?;
    assert_eq!(again, "/organizations/acme/integrations/slack/setup/?dialog=0");
    let step = owner.visit(owner.visit(again).await?.redirect()?.as_str()).await?;
    assert!(owner.visit(&owner.consent(&step).await?).await?.dialog()?.success);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_or_token_endpoint_that_fails_is_told_from_a_failed_check() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    for (token, check) in [(TokenAnswer::ServerError, "token-endpoint"), (TokenAnswer::Form, "plugin")] {
        app.slack.behave(|behaviour| behaviour.token = token);
        let page = owner.install("acme", "slack").await?;
        assert_eq!(page.dialog()?.detail(), "an internal error occurred");
        assert!(page.text.contains(&format!("failed check <code>{check}</code>")), "{}", page.text);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refused_request_is_explained_on_the_next_page() -> Result<()> {
    let app = TestApp::start().await?;
    let (owner, manager) = (app.log_in_as("owner").await?, app.log_in_as("manager").await?);
    let step = owner.start_setup("acme", "slack").await?;
    let back = owner.consent(&step).await?;

    let stranger = HttpClient::new(&app.host.url);
    let refused = stranger.visit(&back).await?;
    assert_eq!(quoted_next(&app.host, &stranger, &refused).await?, "no-session");

    let refused = manager.visit(&back).await?;
    assert_eq!(quoted_next(&app.host, &manager, &refused).await?, "none-under-way", "another person's browser");

    app.host.member("acme", "owner@example.com", "member")?;
    let refused = owner.visit(&back).await?;
    assert_eq!(quoted_next(&app.host, &owner, &refused).await?, "no-right");
    app.host.member("acme", "owner@example.com", "owner")?;

    let step = owner.start_setup("acme", "slack").await?;
    let back = owner.consent(&step).await?;
    assert!(owner.visit(&back).await?.dialog()?.success);
    let refused = owner.visit(&back).await?;
    assert_eq!(quoted_next(&app.host, &owner, &refused).await?, "none-under-way", "it is used up");
    assert_eq!(app.slack.token_requests().len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_at_two_hosts_at_once_is_exchanged_once() -> Result<()> {
    // RFC 6749 section 10.12, RFC 9700 section 4.7.1: a state is used once.
    let Some(database) = fresh_database() else { return Ok(()) };
    let key = "a key that both hosts have, of more than thirty-two characters";
    let slack = StandInSlack::start().await?;
    let build =
        || bare().plugin("slack").database(Some(database.clone())).secret_key(key).toml(&slack_options(&slack, "v2"));
    let one = build().start()?;
    let two = build().url_prefix(&one.url).start()?;
    let owner = owner_of_acme(&one).await?;
    for _ in 0..5 {
        slack.behave(|behaviour| behaviour.token = TokenAnswer::Slow);
        let before = slack.token_requests().len();
        let step = owner.start_setup("acme", "slack").await?;
        let back = owner.consent(&step).await?;
        let there = back.replace(&one.url, &two.url);
        let mut visits: FuturesUnordered<_> = [owner.visit(&back), owner.visit(&there)].into_iter().collect();
        let loser = visits.next().await.context("two visits")??;
        assert_eq!(loser.status_and_location(), (302, "/"), "it does not wait for the other");
        slack.open_gate();
        let winner = visits.next().await.context("two visits")??;
        assert!(winner.dialog()?.success);
        assert_eq!(slack.token_requests().len(), before + 1);
    }
    Ok(())
}
