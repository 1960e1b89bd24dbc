//! A response, a code or an ID token of one authorization server that is passed off as another's.

use std::fmt::Write;

use anyhow::Result;
use insta::assert_snapshot;
use jackfield_test_support::stand_in_oauth2::{Iss, ServiceProfile, StandInOAuth2, WrongIdToken};

use super::{INTERNAL, INVALID};
use crate::{
    app::{AppDatabase, step_error},
    providers::declared::{host_and_owner, install},
    providers::issuer::{by_issuer, issuer_of, setup_error},
};

/// Mix-up between two providers (RFC 9700 section 4.4.1): the victim begins at the attacker's
/// authorization server, which sends the browser to the honest one with the victim's state, so that
/// the host would send the honest code to the attacker's token endpoint. Each provider has its own
/// redirect URI (section 4.4.2.2) and an `iss` in its responses (RFC 9207 section 2.4). Either
/// prevents the attack, and no token endpoint gets a request.
#[tokio::test(flavor = "multi_thread")]
async fn mix_up_between_two_providers() -> Result<()> {
    let saying_whose = |id| issuer_of(id, |_, issuer| (issuer.announces_iss, issuer.iss) = (true, Iss::Own));
    let services = [saying_whose("honest")?, saying_whose("evil")?];
    let service = StandInOAuth2::start(services.into_iter().collect()).await?;
    let tables = ["honest", "evil"].map(|id| by_issuer(&service, id, ""));
    let (host, victim) = host_and_owner(&service, &tables.join("\n")).await?;
    let led_on = async || {
        let step = victim.start_setup("acme", "evil").await?.redirect()?.to_string();
        anyhow::Ok(step.replace("/evil/evil.example", "/honest/honest.example"))
    };
    // The honest server accepts the attacker's redirect URI: its response has an `iss`.
    let back = victim.visit(&led_on().await?).await?.redirect()?;
    assert!(back.path() == "/extensions/evil/setup/" && back.as_str().contains("honest"), "{back}");
    assert_eq!(victim.visit(back.as_str()).await?.dialog()?.detail(), INVALID);
    // Or its own: there is no setup with this state.
    let to_its_own = led_on().await?.replace("%2Fextensions%2Fevil%2F", "%2Fextensions%2Fhonest%2F");
    let back = victim.visit(&to_its_own).await?.redirect()?;
    assert_eq!(back.path(), "/extensions/honest/setup/");
    assert_eq!(victim.visit(back.as_str()).await?.status_and_location(), (302, "/"));
    victim.start_setup("acme", "honest").await?;
    assert_eq!(victim.visit(back.as_str()).await?.dialog()?.detail(), INVALID, "nor during a setup of its own");
    for id in ["honest", "evil"] {
        assert_eq!(service.request_count(id, &format!("https://{id}.example/token")), 0, "{id}");
    }
    AppDatabase::of(&host).await?.assert_nothing("owner@example.com").await?;
    install(&victim, "honest").await?;
    install(&victim, "evil").await
}

/// Mix-up by a response with a missing or wrong `iss` (RFC 9207 section 2.4; RFC 9700 section
/// 4.4.2.1): it is compared exactly, before any token request. If an issuer does not announce
/// `iss`, a given one must be right as well.
#[tokio::test(flavor = "multi_thread")]
async fn mix_up_by_an_issuer_that_is_missing_or_another() -> Result<()> {
    let cases = [
        ("right", true, Iss::Own, ""),
        ("missing", true, Iss::Nothing, INVALID),
        ("other", true, Iss::Another, INVALID),
        ("unannounced", false, Iss::Own, ""),
        ("silent", false, Iss::Nothing, ""),
        ("mixed-up", false, Iss::Another, INVALID),
    ];
    let services = cases.iter().map(|(id, announces_iss, iss, _)| {
        issuer_of(id, |_, issuer| (issuer.announces_iss, issuer.iss) = (*announces_iss, *iss))
    });
    let service = StandInOAuth2::start(services.collect::<Result<_>>()?).await?;
    let tables = cases.map(|(id, ..)| by_issuer(&service, id, "")).join("\n");
    let (host, owner) = host_and_owner(&service, &tables).await?;
    for (id, _, _, detail) in cases {
        assert_eq!(setup_error(&owner, id).await?, detail, "{id}: {}", host.log()?);
        let tokens = service.request_count(id, &format!("https://{id}.example/token"));
        assert_eq!(tokens, usize::from(detail.is_empty()), "{id}");
    }
    Ok(())
}

/// ID token forgery (OpenID Connect Core 1.0 section 3.1.3.7; RFC 8725 sections 2.1, 3.1 and 3.2):
/// unsigned, signed with a public value or another key, for another client, of another issuer,
/// setup or token, or expired. None of its claims is used, and nothing is stored.
#[tokio::test(flavor = "multi_thread")]
async fn id_token_forgery() -> Result<()> {
    let cases = [
        ("t-missing", WrongIdToken::Missing),
        ("t-other-key", WrongIdToken::OtherKey),
        ("t-unknown-key", WrongIdToken::UnknownKey),
        ("t-unsigned", WrongIdToken::Unsigned),
        ("t-shared-secret", WrongIdToken::SharedSecret),
        ("t-public-key", WrongIdToken::PublicKeyAsSecret),
        ("t-changed", WrongIdToken::Changed),
        ("t-issuer", WrongIdToken::OtherIssuer),
        ("t-audience", WrongIdToken::OtherAudience),
        ("t-expired", WrongIdToken::Expired),
        ("t-other-nonce", WrongIdToken::OtherNonce),
        ("t-no-nonce", WrongIdToken::NoNonce),
        ("t-other-token", WrongIdToken::OtherAccessToken),
    ];
    let services = cases.iter().map(|(id, wrong)| issuer_of(id, |_, issuer| issuer.id_token = Some(*wrong)));
    let service = StandInOAuth2::start(services.collect::<Result<_>>()?).await?;
    let tables = cases.map(|(id, ..)| by_issuer(&service, id, "")).join("\n");
    let (host, owner) = host_and_owner(&service, &tables).await?;
    let mut errors = String::new();
    for (id, _) in cases {
        assert_eq!(setup_error(&owner, id).await?, INTERNAL, "{id}");
        writeln!(errors, "{id}: {}", step_error(&host, id)?)?;
    }
    assert_snapshot!(errors, @"
    t-missing: the ID token is invalid: the scope `openid` was requested, and the token answer has no id_token
    t-other-key: the ID token is invalid: its signature is not the issuer's
    t-unknown-key: the ID token is invalid: there is no key `nobodys` for it among the issuer's
    t-unsigned: the ID token is invalid: it is signed with `none`, which is not accepted
    t-shared-secret: the ID token is invalid: it is signed with `HS256`, which is not accepted
    t-public-key: the ID token is invalid: it is signed with `HS256`, which is not accepted
    t-changed: the ID token is invalid: its signature is not the issuer's
    t-issuer: the ID token is invalid: its issuer is `https://another.example` and not the expected one
    t-audience: the ID token is invalid: it is not for this client but for `another client`
    t-expired: the ID token is invalid: it has expired
    t-other-nonce: the ID token is invalid: its nonce is not that of this setup
    t-no-nonce: the ID token is invalid: its nonce is not that of this setup
    t-other-token: the ID token is invalid: it belongs to another access token
    ");
    AppDatabase::of(&host).await?.assert_nothing("owner@example.com").await?;
    for (id, ..) in cases {
        let right = |profile: &mut ServiceProfile| profile.issuer.iter_mut().for_each(|issuer| issuer.id_token = None);
        service.change(id, right);
        install(&owner, id).await?;
    }
    Ok(())
}
