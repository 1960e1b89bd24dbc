//! Errors at the authorization and token endpoints. Nothing is stored after any of them.

use anyhow::Result;
use insta::assert_snapshot;
use jackfield_test_support::stand_in_slack::{Consent, TokenAnswer};

use crate::app::{TestApp, log_line};

const INVALID: &str = "An error occurred while validating your request.";
const NO_TOKEN: &str = "There was an error when retrieving a token from the upstream service.";
const INTERNAL: &str = "an internal error occurred";

#[tokio::test(flavor = "multi_thread")]
async fn an_error_at_the_first_step_ends_the_setup_without_a_redirect_loop() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    owner.visit("/organizations/acme/integrations/slack/setup/").await?;
    let dialog = owner.visit("/extensions/slack/setup/?error=access_denied").await?.dialog()?;
    assert_eq!((dialog.success, dialog.detail()), (false, INVALID), "no state was sent yet, so none is right");
    assert_eq!(owner.visit("/extensions/slack/setup/").await?.status_and_location(), (302, "/"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_consent_is_told_and_the_setup_is_used_up() -> Result<()> {
    let app = TestApp::start().await?;
    app.slack.behave(|behaviour| behaviour.consent = Consent::Deny);
    let owner = app.log_in_as("owner").await?;
    let dialog = owner.install("acme", "slack").await?.dialog()?;
    assert_eq!((dialog.success, dialog.detail()), (false, "access_denied"));
    assert_eq!(owner.visit("/extensions/slack/setup/").await?.status_and_location(), (302, "/"));
    app.database().await?.assert_nothing("owner@example.com").await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_token_answer_ends_the_setup_with_nothing_stored() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let cases = [
        (TokenAnswer::Error, NO_TOKEN),
        (TokenAnswer::DescribedError, "The workspace is <locked>."),
        (TokenAnswer::NotJson, INTERNAL),
        (TokenAnswer::Huge, INTERNAL),
        (TokenAnswer::Cut, INTERNAL),
        (TokenAnswer::ServerError, INTERNAL),
        (TokenAnswer::Redirect, INTERNAL),
        (TokenAnswer::OtherShape, INTERNAL),
        (TokenAnswer::Slow, INTERNAL), // the gate stays shut, the host's time limit ends it
    ];
    let mut asked = 0;
    for (token, detail) in cases {
        app.slack.behave(|behaviour| behaviour.token = token);
        let dialog = owner.install("acme", "slack").await?.dialog()?;
        assert_eq!((dialog.success, dialog.detail()), (false, detail), "{token:?}");
        asked += 1;
        assert_eq!(app.slack.token_requests().len(), asked, "{token:?}: one request, no redirect followed, no retry");
        assert_eq!(
            owner.visit("/extensions/slack/setup/").await?.status_and_location(),
            (302, "/"),
            "{token:?} used the setup up"
        );
    }
    app.database().await?.assert_nothing("owner@example.com").await?;
    app.slack.behave(|behaviour| behaviour.token = TokenAnswer::Token);
    assert!(owner.install("acme", "slack").await?.dialog()?.success, "and the next setup succeeds");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_but_good_token_answer_is_taken() -> Result<()> {
    let app = TestApp::start().await?;
    app.slack.behave(|behaviour| behaviour.token = TokenAnswer::Slow);
    let owner = app.log_in_as("owner").await?;
    app.slack.open_gate();
    assert!(owner.install("acme", "slack").await?.dialog()?.success);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_encoded_token_answer_is_read() -> Result<()> {
    // A form has only the top level, so the plugin finds no team. The test shows that the host can
    // read the response.
    let app = TestApp::start().await?;
    app.slack.behave(|behaviour| behaviour.token = TokenAnswer::Form);
    let owner = app.log_in_as("owner").await?;
    assert_eq!(owner.install("acme", "slack").await?.dialog()?.detail(), INTERNAL);
    assert_snapshot!(log_line(&app.host, "the integration could not be built")?, @r#"WARN the integration could not be built setup.id=[id] provider.id="slack" plugin.name="jackfield-plugin-slack" plugin.reason="fault" step.name="build integration" step.duration=[duration] error=Slack answered:"#);
    assert!(!app.host.log()?.contains("a step failed"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_at_a_private_address_is_not_asked_unless_allowed() -> Result<()> {
    let slack = jackfield_test_support::stand_in_slack::StandInSlack::start().await?;
    let options =
        crate::app::slack_options(&slack, "v2").replace(&format!("127.0.0.1:{}\"]", slack.port()), "10.0.0.0/8\"]");
    let host = crate::app::bare().plugin("slack").toml(&options).start()?;
    host.organization("acme")?;
    let app = TestApp { host, slack };
    let owner = app.log_in_as("owner").await?;
    assert_eq!(owner.install("acme", "slack").await?.dialog()?.detail(), INTERNAL);
    assert!(app.slack.token_requests().is_empty());
    assert_snapshot!(log_line(&app.host, "private address")?, @r#"WARN a step failed setup.id=[id] provider.id="slack" plugin.name="jackfield-plugin-slack" plugin.reason="oauth2" setup.step=1 step.name="oauth2 callback" step.duration=[duration] error=the request to the token endpoint failed: 127.0.0.1 is, or resolves to, a private address: allow it under [http] allow-private if it is yours"#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_log_in_over_plain_http_through_a_network() -> Result<()> {
    let slack = jackfield_test_support::stand_in_slack::StandInSlack::start().await?;
    let options =
        crate::app::slack_options(&slack, "v2").replace(&slack.url("/oauth/v2/authorize"), "http://1.1.1.1/authorize");
    let host = crate::app::bare().plugin("slack").toml(&options).start()?;
    host.organization("acme")?;
    let app = TestApp { host, slack };
    let owner = app.log_in_as("owner").await?;
    assert_eq!(owner.start_setup("acme", "slack").await?.dialog()?.detail(), INTERNAL);
    assert_snapshot!(log_line(&app.host, "plain http to 1.1.1.1 is refused")?, @r#"WARN a step failed setup.id=[id] provider.id="slack" plugin.name="jackfield-plugin-slack" plugin.reason="oauth2" setup.step=0 step.name="oauth2 log-in" step.duration=[duration] error=the authorization endpoint cannot be used: plain http to 1.1.1.1 is refused: use https, or allow the host under [http] allow-private"#);
    Ok(())
}
