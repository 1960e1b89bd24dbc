//! The callback in the wrong hands: another browser, user, organization or provider, a second time,
//! or without the right any more.

use anyhow::Result;
use jackfield_test_support::{http_client::HttpClient, stand_in_oauth2::StandInOAuth2};

use super::INVALID;
use crate::{
    app::{AppDatabase, PASSWORD, TestApp, log_in},
    providers::declared::{declaration_of, host_and_owner, install, service_of},
    providers::issuer::{by_issuer, issuer_of},
    setup::failure_page::{quoted, quoted_next},
};

/// State fixation, or session fixation: the attacker starts a setup, consents with their own
/// account, and makes the victim's browser open the callback, so that the victim's organization
/// gets the attacker's account; or the other way round. CVE-2023-36019; RFC 9700 section 4.7 and
/// the attacks on sessions in draft-ietf-oauth-security-topics-update. A callback counts only in
/// the browser where the setup began and for the user who began it, not even in another browser of
/// this user.
#[tokio::test(flavor = "multi_thread")]
async fn state_fixation() -> Result<()> {
    let app = TestApp::start().await?;
    let (victim, attacker) = (app.log_in_as("owner").await?, app.log_in_as("manager").await?);
    let step = attacker.start_setup("acme", "slack").await?;
    let back = attacker.consent(&step).await?;
    assert_eq!(victim.visit(&back).await?.status_and_location(), (302, "/"));
    let elsewhere = log_in(&app.host, "manager@example.com").await?;
    assert_eq!(elsewhere.visit(&back).await?.status_and_location(), (302, "/"));
    assert_eq!(HttpClient::new(&app.host.url).visit(&back).await?.status_and_location(), (302, "/"));
    victim.start_setup("acme", "slack").await?;
    assert_eq!(victim.visit(&back).await?.dialog()?.detail(), INVALID, "their own setup has another state");
    assert_eq!(app.slack.token_requests().len(), 0);
    app.database().await?.assert_nothing("owner@example.com").await?;
    app.database().await?.assert_nothing("manager@example.com").await?;
    assert!(attacker.visit(&back).await?.dialog()?.success, "in the right place it succeeds");
    Ok(())
}

/// State fixation by a login: the victim's browser has a session that the attacker planted, with a
/// running setup. The session and the setup end when the victim logs in (RFC 9700 section 4.7;
/// CWE-384).
#[tokio::test(flavor = "multi_thread")]
async fn state_fixation_by_a_planted_session() -> Result<()> {
    let app = TestApp::start().await?;
    let planted = app.log_in_as("manager").await?;
    app.log_in_as("owner").await?;
    let step = planted.start_setup("acme", "slack").await?;
    let back = planted.consent(&step).await?;
    assert_eq!(planted.log_in("owner@example.com", PASSWORD).await?.status, 302);
    assert_eq!(planted.visit(&back).await?.status_and_location(), (302, "/"));
    assert_eq!(app.slack.token_requests().len(), 0);
    app.database().await?.assert_nothing("owner@example.com").await?;
    assert!(planted.install("acme", "slack").await?.dialog()?.success, "a setup that begins after the login succeeds");
    Ok(())
}

/// A page of the attacker sends the victim's browser to the callback with an error, so that the
/// setup under way would end. It answers nothing that was asked, and the setup goes on. The page
/// that opened the pop-up is not told.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_without_the_state_leaves_the_setup_standing() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    owner.visit("/organizations/acme/integrations/slack/setup/?channel=0123456789abcdef").await?;
    let back = owner.consent(&owner.visit("/extensions/slack/setup/").await?).await?;
    for (query, check) in [("error=access_denied", "state-missing"), ("error=x&state=y", "state-other")] {
        let path = format!("/extensions/slack/setup/?{query}");
        let visit = owner.request(reqwest::Method::GET, &path).header("sec-fetch-site", "cross-site");
        let page = owner.send(visit).await?;
        assert_eq!((page.dialog()?.detail(), quoted(&app.host, &page.text)?.0), (INVALID, check), "{query}");
        assert!(!page.text.contains("BroadcastChannel") && page.header("set-cookie").is_empty(), "{query}");
    }
    assert!(!app.host.log()?.contains("a setup ends without an integration"));
    assert!(owner.visit(&back).await?.dialog()?.success);
    Ok(())
}

/// Replay: the attacker has found a whole callback in a history or log and sends it again in the
/// victim's browser, in the same setup and in the next (RFC 9700 section 4.7.1, RFC 6749 section
/// 10.5). There is one token request, for the first.
#[tokio::test(flavor = "multi_thread")]
async fn replay_of_a_callback() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let step = owner.start_setup("acme", "slack").await?;
    let back = owner.consent(&step).await?;
    assert!(owner.visit(&back).await?.dialog()?.success);
    assert_eq!(owner.visit(&back).await?.status_and_location(), (302, "/"));
    assert_eq!(app.slack.token_requests().len(), 1);
    owner.start_setup("acme", "slack").await?;
    assert_eq!(owner.visit(&back).await?.dialog()?.detail(), INVALID, "nor in another setup");
    assert_eq!(app.slack.token_requests().len(), 1);
    Ok(())
}

/// Cross-app callback (COAT, draft-ietf-oauth-security-topics-update section 2.2): two setups run
/// in one browser, and the attacker, who operates one of the providers, sends the response of one
/// to the redirect URI of the other. Each redirect URI belongs to one provider, and a state counts
/// only there: no token endpoint gets a request.
#[tokio::test(flavor = "multi_thread")]
async fn cross_app_callback() -> Result<()> {
    let services = [service_of("calendar", |_| {})?, service_of("payroll", |_| {})?];
    let service = StandInOAuth2::start(services.into_iter().collect()).await?;
    let tables = ["calendar", "payroll"].map(|id| declaration_of(&service, id, ""));
    let (host, victim) = host_and_owner(&service, &tables.join("\n")).await?;
    let mut backs = Vec::new();
    for id in ["calendar", "payroll"] {
        let step = victim.start_setup("acme", id).await?;
        backs.push(victim.consent(&step).await?);
    }
    let swapped = [backs[0].replace("/calendar/", "/payroll/"), backs[1].replace("/payroll/", "/calendar/")];
    for back in swapped {
        let page = victim.visit(&back).await?;
        assert_eq!((page.dialog()?.detail(), quoted(&host, &page.text)?.0), (INVALID, "state-other"), "{back}");
        let refused = victim.visit(&back).await?;
        assert_eq!(
            quoted_next(&host, &victim, &refused).await?,
            "none-under-way",
            "nor without a setup that waits for it"
        );
    }
    for id in ["calendar", "payroll"] {
        assert_eq!(service.request_count(id, &format!("https://{id}.example/token")), 0, "{id}");
    }
    AppDatabase::of(&host).await?.assert_nothing("owner@example.com").await?;
    install(&victim, "calendar").await?;
    install(&victim, "payroll").await
}

/// Cross-organization callback: a user who may install in two organizations finishes in one a setup
/// that began in the other.
#[tokio::test(flavor = "multi_thread")]
async fn callback_under_another_organization() -> Result<()> {
    let app = TestApp::start().await?;
    app.host.organization("other")?;
    let owner = app.log_in_as("owner").await?;
    app.host.member("other", "owner@example.com", "owner")?;
    let begun = owner.start_setup("other", "slack").await?;
    let back = owner.consent(&begun).await?;
    owner.start_setup("acme", "slack").await?;
    let page = owner.visit(&back).await?;
    assert_eq!((page.dialog()?.detail(), quoted(&app.host, &page.text)?.0), (INVALID, "state-other"));
    assert!(page.text.contains("/organizations/acme/integrations/slack/setup/"), "it starts again at the same place");
    assert_eq!(app.slack.token_requests().len(), 0);
    app.database().await?.assert_nothing("owner@example.com").await?;
    assert!(owner.install("acme", "slack").await?.dialog()?.success);
    Ok(())
}

/// Account takeover by an e-mail address: the attacker's account at a provider has the victim's
/// address. Nothing is linked to the victim, it logs nobody in, and the identity is the attacker's
/// (OpenID Connect Core 1.0 section 5.7: only `sub` and `iss` identify a user).
#[tokio::test(flavor = "multi_thread")]
async fn account_takeover_by_an_email_address() -> Result<()> {
    let service = StandInOAuth2::start([issuer_of("acme", |_, _| {})?].into_iter().collect()).await?;
    let userinfo = "account = { from = \"userinfo\", id = \"org.id\", name = \"email\" }\nidentity = { id = \"sub\" }";
    let (host, attacker) = host_and_owner(&service, &by_issuer(&service, "acme", userinfo)).await?;
    host.user("ada@example.com", PASSWORD)?;
    host.member("acme", "ada@example.com", "member")?;
    install(&attacker, "acme").await?;
    let stored = AppDatabase::of(&host).await?;
    assert_eq!(stored.integrations().await?[0].0.integration.name, "ada@example.com", "the provider says so");
    assert_eq!(stored.identities("ada@example.com").await?.len(), 0);
    assert_eq!(stored.identities("owner@example.com").await?.len(), 1);
    let api = attacker.visit("/account/").await?;
    assert!(api.text.contains("ada-1") && !api.text.contains("ada@example.com"), "{}", api.text);
    Ok(())
}

/// Stale authority: between the login at the provider and the callback, the user loses the right to
/// install. The host checks it again before it uses the code.
#[tokio::test(flavor = "multi_thread")]
async fn callback_after_the_right_was_taken_away() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let step = owner.start_setup("acme", "slack").await?;
    let back = owner.consent(&step).await?;
    app.host.member("acme", "owner@example.com", "member")?;
    assert_eq!(owner.visit(&back).await?.status_and_location(), (302, "/"));
    assert_eq!(app.slack.token_requests().len(), 0);
    app.database().await?.assert_nothing("owner@example.com").await?;
    app.host.member("acme", "owner@example.com", "owner")?;
    assert!(owner.install("acme", "slack").await?.dialog()?.success);
    Ok(())
}
