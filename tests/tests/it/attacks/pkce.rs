//! PKCE downgrades (RFC 7636, RFC 9700 section 4.8).

use anyhow::Result;
use insta::assert_snapshot;
use jackfield_test_support::{
    stand_in::{Endpoint, Fault},
    stand_in_oauth2::{Pkce, StandInOAuth2},
};

use super::parameter;
use crate::{
    app::AppDatabase,
    providers::declared::{declaration_of, host_and_owner, install, service_of},
    providers::issuer::{by_issuer, issuer_of, setup_error},
};

/// PKCE downgrade by a metadata document: `code_challenge_methods_supported` is missing, by an
/// attacker or by mistake. The host sends a challenge all the same, with S256 and new for each
/// setup, and a service that requires it is satisfied.
#[tokio::test(flavor = "multi_thread")]
async fn pkce_downgrade_by_metadata() -> Result<()> {
    let services = [issuer_of("acme", |profile, _| profile.pkce = Pkce::Required)?];
    let service = StandInOAuth2::start(services.into_iter().collect()).await?;
    let (_host, owner) = host_and_owner(&service, &by_issuer(&service, "acme", "")).await?;
    let mut challenges = Vec::new();
    for _ in 0..2 {
        let url = owner.start_setup("acme", "acme").await?.redirect()?.to_string();
        assert_eq!(parameter(&url, "code_challenge_method"), "S256");
        challenges.push(parameter(&url, "code_challenge"));
    }
    assert!(challenges[0].len() == 43 && challenges[0] != challenges[1], "{challenges:?}");
    install(&owner, "acme").await
}

/// PKCE downgrade by a removed challenge (RFC 9700 section 4.8.1): the attacker removes
/// `code_challenge` from the authorization request, so that a code would need no verifier. The host
/// always sends its verifier, and the service, which got no challenge, refuses.
#[tokio::test(flavor = "multi_thread")]
async fn pkce_downgrade_by_a_stripped_challenge() -> Result<()> {
    let service = StandInOAuth2::start([service_of("acme", |_| {})?].into_iter().collect()).await?;
    let (host, victim) = host_and_owner(&service, &declaration_of(&service, "acme", "")).await?;
    let mut url = victim.start_setup("acme", "acme").await?.redirect()?;
    let kept = url.query_pairs().filter(|(name, _)| !name.starts_with("code_challenge"));
    let kept: Vec<(String, String)> = kept.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    url.query_pairs_mut().clear().extend_pairs(kept);
    let back = victim.visit(url.as_str()).await?.redirect()?;
    let dialog = victim.visit(back.as_str()).await?.dialog()?;
    assert!(!dialog.success);
    assert_snapshot!(dialog.detail(), @"code_verifier is there, and no code_challenge was");
    assert_eq!(service.request_count("acme", "https://acme.example/token"), 1);
    AppDatabase::of(&host).await?.assert_nothing("owner@example.com").await?;
    install(&victim, "acme").await
}

/// PKCE downgrade by an error: after a refusal, the host does not ask the token endpoint again.
#[tokio::test(flavor = "multi_thread")]
async fn pkce_downgrade_by_a_retry() -> Result<()> {
    let service = StandInOAuth2::start([service_of("acme", |_| {})?].into_iter().collect()).await?;
    let (host, victim) = host_and_owner(&service, &declaration_of(&service, "acme", "")).await?;
    for (asked, error) in ["invalid_request", "invalid_grant", "unsupported_grant_type"].into_iter().enumerate() {
        service.faults("acme").next(Endpoint::Exchange, [Some(Fault::Refused { error: error.to_owned() })]);
        assert_ne!(setup_error(&victim, "acme").await?, "", "{error}");
        assert_eq!(service.faults("acme").requests(Endpoint::Exchange), asked + 1, "{error}");
    }
    AppDatabase::of(&host).await?.assert_nothing("owner@example.com").await?;
    install(&victim, "acme").await
}
