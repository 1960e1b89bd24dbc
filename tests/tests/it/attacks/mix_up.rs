//! A response, a code or an ID token of one authorization server that is passed off as another's.

use std::fmt::Write;

use anyhow::{Context, Result};
use insta::assert_snapshot;
use jackfield_test_support::{
    http_client::HttpClient,
    stand_in_oauth2::{CLIENT, Iss, SECRET, ServiceProfile, StandInOAuth2, WrongIdToken},
};

use super::{INTERNAL, INVALID, parameter};
use crate::{
    app::{AppDatabase, bare, owner_of_acme, step_error},
    providers::declared::{host_and_owner, http, install},
    providers::gitlab::onward,
    providers::issuer::{by_issuer, issuer_of, setup_error},
    setup::failure_page::quoted,
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

/// Names a server in the form of a started setup, and returns the authorization request.
async fn named_server(victim: &HttpClient, provider: &str, form: &[(&str, &str)]) -> Result<String> {
    victim.start_setup("acme", provider).await?;
    onward(&victim.post(&format!("/extensions/{provider}/setup/"), form).await?)
}

/// An authorization request that the attacker's server leads on to the honest one, with a redirect
/// URI that is registered there.
fn led_on(request: &str, from: &str, to: &str, redirect_uri: &str) -> Result<String> {
    let mut url = url::Url::parse(&request.replace(from, to))?;
    let changed: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| {
            (name.to_string(), if name == "redirect_uri" { redirect_uri.into() } else { value.into() })
        })
        .collect();
    url.query_pairs_mut().clear().extend_pairs(changed);
    Ok(url.into())
}

/// Mix-up between two servers of one provider (RFC 9700 section 4.4.1): the victim is talked into
/// naming the attacker's instance, which sends the browser on to the honest one with the victim's
/// state. Each server has a redirect URI of its own (section 4.4.2.2), and an answer counts only
/// there: no token endpoint gets a request.
#[tokio::test(flavor = "multi_thread")]
async fn mix_up_between_two_servers_that_a_person_names() -> Result<()> {
    let profile = || ServiceProfile::all()?.remove("gitlab").context("GitLab's profile");
    let services = [("honest".to_owned(), profile()?), ("evil".to_owned(), profile()?)];
    let service = StandInOAuth2::start(services.into_iter().collect()).await?;
    let host = bare().plugin("gitlab").toml(&http(&service)).start()?;
    let victim = owner_of_acme(&host).await?;
    let at = |id: &str| service.url_of(id, "https://gitlab.com");
    let name = async |id: &str| {
        let form = [("url", &*at(id)), ("client-id", CLIENT), ("client-secret", SECRET)];
        named_server(&victim, "gitlab", &form).await
    };
    let uri = |request: &str| parameter(request, "redirect_uri");
    let honest = uri(&name("honest").await?);
    let own = uri(&name("evil").await?);
    assert!(honest != own && own.starts_with(&host.at("/extensions/gitlab/setup/")), "{honest} {own}");
    for registered in [honest, host.at("/extensions/gitlab/setup/")] {
        let request = led_on(&name("evil").await?, &at("evil"), &at("honest"), &registered)?;
        let back = victim.visit(&request).await?.redirect()?;
        assert!(back.as_str().starts_with(&registered), "{back}");
        let page = victim.visit(back.as_str()).await?;
        assert_eq!((page.dialog()?.detail(), quoted(&host, &page.text)?.0), (INVALID, "state-other"), "{registered}");
    }
    for id in ["honest", "evil"] {
        assert_eq!(service.request_count(id, "https://gitlab.com/oauth/token"), 0, "{id}");
    }
    AppDatabase::of(&host).await?.assert_nothing("owner@example.com").await?;
    for id in ["honest", "evil"] {
        let back = victim.visit(&name(id).await?).await?.redirect()?;
        let dialog = victim.visit(back.as_str()).await?.dialog()?;
        assert!(dialog.success, "{id}: {}", dialog.detail());
    }
    Ok(())
}

/// The same between two issuers that a person names: neither does the answer count at the redirect
/// URI of another, nor with the `iss` of another (RFC 9207 section 2.4).
#[tokio::test(flavor = "multi_thread")]
async fn mix_up_between_two_issuers_that_a_person_names() -> Result<()> {
    let saying_whose = |id| issuer_of(id, |_, issuer| (issuer.announces_iss, issuer.iss) = (true, Iss::Own));
    let services = [saying_whose("honest")?, saying_whose("evil")?];
    let service = StandInOAuth2::start(services.into_iter().collect()).await?;
    let options = format!(
        "[two-servers]\norder = [\"named\"]\n[two-servers.first]\nclient-id = \"{CLIENT}\"\nclient-secret = \"{SECRET}\"\n"
    );
    let host = bare().plugin("two_servers").toml(&http(&service)).toml(&options).start()?;
    let victim = owner_of_acme(&host).await?;
    let at = |id: &str| service.url_of(id, &format!("https://{id}.example"));
    let name = async |id: &str| {
        let issuer = format!("{}/issuer", at(id));
        named_server(&victim, "two-servers", &[("issuer", &*issuer)]).await
    };
    let uri = |request: &str| parameter(request, "redirect_uri");
    let (honest, evil) = (uri(&name("honest").await?), uri(&name("evil").await?));
    for (registered, check) in [(honest, "state-other"), (evil, "iss-other")] {
        let request = led_on(&name("evil").await?, &at("evil"), &at("honest"), &registered)?;
        let back = victim.visit(&request).await?.redirect()?;
        let page = victim.visit(back.as_str()).await?;
        assert_eq!((page.dialog()?.detail(), quoted(&host, &page.text)?.0), (INVALID, check), "{registered}");
    }
    for id in ["honest", "evil"] {
        assert_eq!(service.request_count(id, &format!("https://{id}.example/token")), 0, "{id}");
    }
    AppDatabase::of(&host).await?.assert_nothing("owner@example.com").await?;
    let back = victim.visit(&name("honest").await?).await?.redirect()?;
    let dialog = victim.visit(back.as_str()).await?.dialog()?;
    assert!(dialog.success, "{}\n{}", dialog.detail(), host.log()?);
    Ok(())
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
