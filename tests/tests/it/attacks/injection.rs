//! Injected values in a response of the authorization endpoint: another code, another state, an
//! error, a repeated parameter.

use anyhow::Result;
use insta::assert_snapshot;
use jackfield_test_support::{
    http_client::HttpClient,
    stand_in_oauth2::{Pkce, StandInOAuth2},
};

use super::{INTERNAL, INVALID, parameter};
use crate::{
    app::{AppDatabase, PASSWORD, TestApp, log_in, redacted_with, step_error},
    providers::declared::{declaration_of, host_and_owner, install, service_of},
    providers::issuer::{by_issuer, issuer_of},
};

/// Authorization code injection (RFC 9700 section 4.5): the attacker has an unused code of the
/// victim and puts it into their own setup, with the right state. The verifier of their setup does
/// not fit the code (RFC 7636), and if a service ignores PKCE, the ID token does not have their
/// nonce (OpenID Connect Core 1.0 section 3.1.3.7). Nothing of the victim is stored.
#[tokio::test(flavor = "multi_thread")]
async fn code_injection() -> Result<()> {
    let services =
        [service_of("proof-key", |_| {})?, issuer_of("nonce-alone", |profile, _| profile.pkce = Pkce::Ignored)?];
    let service = StandInOAuth2::start(services.into_iter().collect()).await?;
    let tables = declaration_of(&service, "proof-key", "") + &by_issuer(&service, "nonce-alone", "");
    let (host, victim) = host_and_owner(&service, &tables).await?;
    host.user("mallory@example.com", PASSWORD)?;
    host.member("acme", "mallory@example.com", "manager")?;
    let attacker = log_in(&host, "mallory@example.com").await?;
    let mut shown = Vec::new();
    for id in ["proof-key", "nonce-alone"] {
        let stolen = victim.consent(&victim.start_setup("acme", id).await?).await?;
        let own = attacker.consent(&attacker.start_setup("acme", id).await?).await?;
        let injected = own.replace(&parameter(&own, "code"), &parameter(&stolen, "code"));
        let dialog = attacker.visit(&injected).await?.dialog()?;
        assert!(!dialog.success, "{id}");
        shown.push(dialog.detail().to_owned());
        assert_eq!(service.request_count(id, &format!("https://{id}.example/token")), 1, "{id}: it is not tried again");
    }
    assert_snapshot!(redacted_with(&shown.join("\n"), &[(r#""[\w-]{43}""#, "[challenge]")]), @"
    the challenge is [challenge], and not [challenge]
    an internal error occurred
    ");
    assert_snapshot!(step_error(&host, "nonce-alone")?, @"the ID token is invalid: its nonce is not that of this setup");
    for email in ["owner@example.com", "mallory@example.com"] {
        AppDatabase::of(&host).await?.assert_nothing(email).await?;
    }
    for id in ["proof-key", "nonce-alone"] {
        install(&attacker, id).await?;
    }
    Ok(())
}

/// The callback with other parameters than those of the provider.
async fn tampered(app: &TestApp, owner: &HttpClient, change: impl Fn(&str, &str) -> String) -> Result<String> {
    let step = owner.start_setup("acme", "slack").await?;
    let back = owner.consent(&step).await?;
    let query = change(&parameter(&back, "code"), &parameter(&back, "state"));
    let response = owner.visit(&format!("/extensions/slack/setup/?{query}")).await?;
    let dialog = response.dialog()?;
    assert!(!dialog.success && !response.text.contains("injected"), "nothing else is shown: {query}");
    assert_eq!(app.slack.token_requests().len(), 0, "refused before any token request");
    Ok(dialog.detail().to_owned())
}

/// Forged, missing and guessed states (RFC 6749 section 10.12, RFC 9700 section 4.7): an attacker
/// who can send the victim's browser anywhere does not know the state of a running setup. A missing
/// state matches nothing.
#[tokio::test(flavor = "multi_thread")]
async fn state_forged_or_left_out() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    assert_eq!(tampered(&app, &owner, |code, _| format!("code={code}")).await?, INVALID);
    assert_eq!(tampered(&app, &owner, |code, _| format!("code={code}&state=")).await?, INVALID);
    assert_eq!(tampered(&app, &owner, |code, state| format!("code={code}&state={state}x")).await?, INVALID);
    assert_eq!(tampered(&app, &owner, |_, _| "error=injected".to_owned()).await?, INVALID);
    assert_eq!(tampered(&app, &owner, |_, state| format!("error=injected&state={state}x")).await?, INVALID);
    app.database().await?.assert_nothing("owner@example.com").await?;
    assert!(owner.install("acme", "slack").await?.dialog()?.success);
    Ok(())
}

/// Parameter pollution (RFC 6749 section 3.1): a repeated parameter is refused, and so is a
/// response with a code and an error.
#[tokio::test(flavor = "multi_thread")]
async fn parameter_pollution() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let cases: [fn(&str, &str) -> String; 5] = [
        |code, state| format!("code={code}&code={code}&state={state}"),
        |code, state| format!("code=injected&code={code}&state={state}"),
        |code, state| format!("code={code}&state={state}&state={state}"),
        |code, state| format!("code={code}&state={state}&iss=injected&iss=b"),
        |code, state| format!("code={code}&error=injected&state={state}"),
    ];
    for change in cases {
        assert_eq!(tampered(&app, &owner, change).await?, INVALID);
    }
    app.database().await?.assert_nothing("owner@example.com").await?;
    assert!(owner.install("acme", "slack").await?.dialog()?.success);
    Ok(())
}

/// Error injection (CVE-2020-36599; RFC 6749 section 4.1.2.1): a provider or an attacker sends an
/// error with markup. It is truncated, shown as text, and posted as data; without the right state
/// it is not shown.
#[tokio::test(flavor = "multi_thread")]
async fn error_injection() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let error = format!("<script>alert(1)</script>{}", "x".repeat(500));
    let forged = format!("/extensions/slack/setup/?error={error}&state=guessed");
    owner.start_setup("acme", "slack").await?;
    let response = owner.visit(&forged).await?;
    assert!(response.dialog()?.detail() == INVALID && !response.text.contains("alert(1)"), "{}", response.text);
    let back = owner.consent(&owner.start_setup("acme", "slack").await?).await?;
    let state = parameter(&back, "state");
    let response = owner.visit(&format!("/extensions/slack/setup/?error={error}&state={state}")).await?;
    assert_eq!(response.dialog()?.detail(), &error[..200]);
    assert!(!response.text.contains("<script>alert"), "{}", response.text);
    assert_eq!(owner.visit(&back).await?.status_and_location(), (302, "/"), "the state is used up by it");
    assert_eq!(app.slack.token_requests().len(), 0);
    Ok(())
}

/// Cross-site scripting through a token endpoint: its error is shown as text.
#[tokio::test(flavor = "multi_thread")]
async fn error_injection_by_the_token_endpoint() -> Result<()> {
    let app = TestApp::start().await?;
    app.slack.behave(|behaviour| behaviour.token = jackfield_test_support::stand_in_slack::TokenAnswer::DescribedError);
    let owner = app.log_in_as("owner").await?;
    let response = owner.install("acme", "slack").await?;
    assert_eq!(response.dialog()?.detail(), "The workspace is <locked>.");
    assert!(!response.text.contains("<locked>"), "{}", response.text);
    assert_ne!(response.dialog()?.detail(), INTERNAL);
    Ok(())
}
