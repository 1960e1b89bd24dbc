//! Providers with an issuer: discovery, `iss` in responses, ID tokens, and clients that
//! authenticate with a key.

use std::fmt::Write;

use anyhow::{Context, Result};
use insta::assert_snapshot;
use jackfield_test_support::{
    host::Host,
    http_client::HttpClient,
    stand_in_oauth2::{
        Authentication, CLIENT, CLIENT_KEY, CLIENT_KEY_ID, Iss, Issuer, Metadata, Place, SECRET, SUBJECT,
        ServiceProfile, StandInOAuth2, WrongIdToken,
    },
};
use serde_json::json;

use crate::{
    app::{AppDatabase, log_line, step_error},
    providers::declared::{declaration_of, host_and_owner, install, service_of},
};

const INTERNAL: &str = "an internal error occurred";

/// A service that is an issuer, with ID tokens.
pub(crate) fn issuer_of(
    id: &str,
    change: impl FnOnce(&mut ServiceProfile, &mut Issuer),
) -> Result<(String, ServiceProfile)> {
    service_of(id, |profile| {
        let mut issuer = Issuer::default();
        (profile.authentication, profile.account) = (Authentication::Basic, None);
        profile.token_answer = r#"{"access_token": "TOKEN", "id_token": "ID_TOKEN"}"#.to_owned();
        change(profile, &mut issuer);
        profile.issuer = Some(issuer);
    })
}

/// The declaration with only the issuer.
pub(crate) fn by_issuer(service: &StandInOAuth2, id: &str, more: &str) -> String {
    let account = "account = { from = \"id-token\", id = \"sub\", name = \"name\" }";
    let account = if more.contains("account = ") { "" } else { account };
    let client = if more.contains("private-key") { String::new() } else { format!("client-secret = \"{SECRET}\"") };
    let text = format!(
        "[providers.{id}]\nissuer = \"https://{id}.example/issuer\"\nclient-id = \"{CLIENT}\"\n{client}\n\
         scopes = [\"openid\", \"read\"]\n{account}\n{more}\n"
    );
    service.url_of(id, &text)
}

/// Goes through a setup, and returns what the user reads at its end.
pub(crate) async fn setup_error(owner: &HttpClient, id: &str) -> Result<String> {
    Ok(install(owner, id).await.err().map(|error| error.to_string()).unwrap_or_default())
}

/// The lines of the log that have a text.
pub(crate) fn log_of(host: &Host, id: &str) -> Result<String> {
    let log = host.log()?;
    Ok(log.lines().filter(|line| line.contains(id)).collect::<Vec<_>>().join("\n"))
}

fn with_key(id: &str) -> String {
    format!("private-key = \"\"\"\n{CLIENT_KEY}\"\"\"\nkey-id = \"{CLIENT_KEY_ID}\"\nname = \"{id}\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_described_by_its_issuer_alone() -> Result<()> {
    // RFC 8414 sections 3 and 3.1, OpenID Connect Discovery 1.0 section 4; OpenID Connect Core 1.0
    // sections 3.1.3.7, 5.3 and 9.
    let userinfo = "account = { from = \"userinfo\", id = \"org.id\", name = \"email\" }\nidentity = { id = \"sub\" }";
    let services = [
        issuer_of("oauth", |_, _| {})?,
        issuer_of("openid", |_, issuer| issuer.place = Place::OpenId)?,
        issuer_of("post", |profile, issuer| {
            (profile.authentication, issuer.authentication) = (Authentication::Post, vec!["client_secret_post"]);
        })?,
        issuer_of("key", |profile, issuer| {
            profile.authentication = Authentication::PrivateKeyJwt;
            issuer.authentication = vec!["client_secret_basic", "private_key_jwt"];
            (issuer.announces_iss, issuer.iss) = (true, Iss::Own);
        })?,
        issuer_of("info", |_, _| {})?,
    ];
    let service = StandInOAuth2::start(services.into_iter().collect()).await?;
    let tables = ["oauth", "openid", "post"].map(|id| by_issuer(&service, id, "")).join("\n")
        + &by_issuer(&service, "key", &with_key("key"))
        + &by_issuer(&service, "info", userinfo);
    let (host, owner) = host_and_owner(&service, &tables).await?;
    for id in ["oauth", "openid", "post", "key", "info"] {
        install(&owner, id).await.with_context(|| format!("{id}: {}", log_of(&host, id).unwrap_or_default()))?;
    }
    let stored = AppDatabase::of(&host).await?;
    for (installed, _) in stored.integrations().await? {
        let integration = &installed.integration;
        let wanted = if integration.provider == "info" { ("O1", "ada@example.com") } else { (SUBJECT, "Ada") };
        assert_eq!((&*integration.external_id, &*integration.name), wanted, "{}", integration.provider);
    }
    let identity = &stored.identities("owner@example.com").await?[0];
    assert_eq!((&identity["instance"], &identity["external_id"]), (&json!("127.0.0.1"), &json!(SUBJECT)));
    assert!(!host.log()?.contains(SECRET));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_document_of_openid_connect_says_is_read_there() -> Result<()> {
    // OpenID Connect Discovery 1.0 section 3; RFC 8414 section 2 lists neither userinfo endpoint
    // nor algorithms of ID tokens.
    let userinfo = "account = { from = \"userinfo\", id = \"org.id\" }";
    let services = [
        issuer_of("token", |_, issuer| issuer.place = Place::Both)?,
        issuer_of("info", |_, issuer| issuer.place = Place::Both)?,
        issuer_of("plain", |_, issuer| issuer.place = Place::Both)?,
    ];
    let service = StandInOAuth2::start(services.into_iter().collect()).await?;
    let plain = by_issuer(&service, "plain", "account = { from = \"token\", id = \"access_token\" }");
    let tables = by_issuer(&service, "token", "") + &by_issuer(&service, "info", userinfo);
    let (host, owner) = host_and_owner(&service, &(tables + &plain.replace("\"openid\", ", ""))).await?;
    for id in ["token", "info", "plain"] {
        install(&owner, id).await.with_context(|| format!("{id}: {}", log_of(&host, id).unwrap_or_default()))?;
    }
    let asked =
        |id: &str| service.request_count(id, &format!("https://{id}.example/issuer/.well-known/openid-configuration"));
    assert_eq!(["token", "info", "plain"].map(asked), [1, 1, 0], "once an hour, and only when needed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_are_asked_for_once_an_hour_and_an_issuer_that_is_down_stops_neither_host_nor_setup() -> Result<()> {
    let service = StandInOAuth2::start([issuer_of("acme", |_, _| {})?].into_iter().collect()).await?;
    service.take_issuers_down(true);
    let (host, owner) = host_and_owner(&service, &by_issuer(&service, "acme", "")).await?;
    assert_eq!(start_error(&owner).await?, INTERNAL);
    assert_snapshot!(log_line(&host, "the issuer has no metadata")?, @r#"WARN a step failed setup.id=[id] provider.id="acme" plugin.name="providers.acme" plugin.reason="oauth2" setup.step=0 step.name="oauth2 log-in" step.duration=[duration] error=the issuer has no metadata: http://127.0.0.1:[port]/.well-known/oauth-authorization-server/acme/acme.example/issuer answers status 503, http://127.0.0.1:[port]/acme/acme.example/issuer/.well-known/openid-configuration answers status 404"#);
    service.take_issuers_down(false);
    install(&owner, "acme").await?;
    service.take_issuers_down(true);
    install(&owner, "acme").await.context("what was known is used")?;
    assert_eq!(service.request_count("acme", "https://acme.example/keys"), 1);
    service.take_issuers_down(false);
    service.rotate_keys();
    install(&owner, "acme").await.context("a key of an unknown id is looked for once more")?;
    assert_eq!(service.request_count("acme", "https://acme.example/keys"), 2);
    Ok(())
}

/// What a user reads when a setup fails before the authorization endpoint.
async fn start_error(owner: &HttpClient) -> Result<String> {
    Ok(owner.start_setup("acme", "acme").await?.dialog()?.detail().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_are_not_to_be_trusted_end_the_setup_before_anybody_is_sent_anywhere() -> Result<()> {
    // RFC 8414 sections 2 and 3.3.
    type Case = (&'static str, fn(&mut Issuer));
    let cases: [Case; 4] = [
        ("another", |issuer| issuer.metadata = Metadata::AnotherIssuer),
        ("nowhere", |issuer| issuer.place = Place::Nowhere),
        ("plain", |issuer| issuer.metadata = Metadata::PlainHttp),
        ("part", |issuer| issuer.metadata = Metadata::NoTokenEndpoint),
    ];
    let services = cases.iter().map(|(id, change)| issuer_of(id, |_, issuer| change(issuer)));
    let service = StandInOAuth2::start(services.collect::<Result<_>>()?).await?;
    let tables = cases.map(|(id, ..)| by_issuer(&service, id, "")).join("\n");
    let (host, owner) = host_and_owner(&service, &tables).await?;
    let mut errors = String::new();
    for (id, _) in cases {
        let dialog = owner.start_setup("acme", id).await?.dialog()?;
        assert_eq!((dialog.success, dialog.detail()), (false, INTERNAL), "{id}");
        writeln!(errors, "{id}: {}", step_error(&host, id)?)?;
    }
    assert_snapshot!(errors, @"
    another: the issuer has no metadata: http://127.0.0.1:[port]/.well-known/oauth-authorization-server/another/another.example/issuer names another issuer, `https://another.example`, http://127.0.0.1:[port]/another/another.example/issuer/.well-known/openid-configuration answers status 404
    nowhere: the issuer has no metadata: http://127.0.0.1:[port]/.well-known/oauth-authorization-server/nowhere/nowhere.example/issuer answers status 404, http://127.0.0.1:[port]/nowhere/nowhere.example/issuer/.well-known/openid-configuration answers status 404
    plain: the issuer's token_endpoint cannot be used: 192.0.2.1 is, or resolves to, a private address: allow it under [http] allow-private if it is yours
    part: the issuer's metadata have no token_endpoint, and none is set
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_sets_wins_over_what_the_issuer_announces() -> Result<()> {
    let change = |_: &mut ServiceProfile, issuer: &mut Issuer| issuer.metadata = Metadata::NoTokenEndpoint;
    let service = StandInOAuth2::start([issuer_of("acme", change)?].into_iter().collect()).await?;
    let table = by_issuer(&service, "acme", "token-url = \"https://acme.example/token\"");
    let (_host, owner) = host_and_owner(&service, &table).await?;
    install(&owner, "acme").await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_issuer_nobody_knows_whose_the_answer_must_be() -> Result<()> {
    let change = |profile: &mut ServiceProfile| {
        profile.issuer = Some(Issuer { iss: Iss::Another, place: Place::Nowhere, ..Issuer::default() });
    };
    let service = StandInOAuth2::start([service_of("acme", change)?].into_iter().collect()).await?;
    let (_host, owner) = host_and_owner(&service, &declaration_of(&service, "acme", "")).await?;
    install(&owner, "acme").await
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_userinfo_that_are_not_to_be_trusted_end_the_setup() -> Result<()> {
    // OpenID Connect Core 1.0 section 5.3.2; the host sends no request to a private address.
    let userinfo = "account = { from = \"userinfo\", id = \"org.id\" }";
    let services = [
        issuer_of("no-keys", |_, issuer| issuer.metadata = Metadata::NoKeys)?,
        issuer_of("private", |_, issuer| issuer.metadata = Metadata::PrivateKeys)?,
        issuer_of("swapped", |_, issuer| issuer.other_userinfo = true)?,
    ];
    let service = StandInOAuth2::start(services.into_iter().collect()).await?;
    let cases = [("no-keys", ""), ("private", ""), ("swapped", userinfo)];
    let tables = cases.map(|(id, more)| by_issuer(&service, id, more)).join("\n");
    let (host, owner) = host_and_owner(&service, &tables).await?;
    let mut errors = String::new();
    for (id, _) in cases {
        assert_eq!(setup_error(&owner, id).await?, INTERNAL, "{id}");
        writeln!(errors, "{id}: {}", step_error(&host, id)?)?;
    }
    assert_snapshot!(errors, @"
    no-keys: the ID token is invalid: the issuer's metadata have no jwks_uri
    private: the request to https://192.168.0.1/keys failed: 192.168.0.1 is, or resolves to, a private address: allow it under [http] allow-private if it is yours
    swapped: the userinfo is about another subject than the ID token
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_came_with_what_is_not_believed_are_revoked() -> Result<()> {
    let userinfo = "account = { from = \"userinfo\", id = \"org.id\" }";
    type Case = (&'static str, fn(&mut Issuer), &'static str);
    let cases: [Case; 3] = [
        ("missing", |issuer| issuer.id_token = Some(WrongIdToken::Missing), ""),
        ("forged", |issuer| issuer.id_token = Some(WrongIdToken::OtherKey), ""),
        ("swapped", |issuer| issuer.other_userinfo = true, userinfo),
    ];
    let services = cases.map(|(id, change, _)| {
        issuer_of(id, |profile, issuer| {
            profile.revocation = Some(format!("https://{id}.example/revoke"));
            change(issuer);
        })
    });
    let service = StandInOAuth2::start(services.into_iter().collect::<Result<_>>()?).await?;
    let table = |(id, _, more): Case| {
        let url = service.url_of(id, &format!("https://{id}.example/revoke"));
        by_issuer(&service, id, &format!("{more}\nrevocation-url = \"{url}\""))
    };
    let (host, owner) = host_and_owner(&service, &cases.map(table).join("\n")).await?;
    for (id, ..) in cases {
        assert_eq!(setup_error(&owner, id).await?, INTERNAL, "{id}");
    }
    assert_eq!(service.tokens().all().len(), 3, "each was issued a token");
    assert_eq!(AppDatabase::of(&host).await?.settled().await?.len(), 3);
    assert_eq!(service.tokens().live_access_tokens(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_proves_itself_by_its_key_without_an_issuer_too_and_another_key_is_refused() -> Result<()> {
    // RFC 7523 sections 2.2 and 3.
    let change = |profile: &mut ServiceProfile| profile.authentication = Authentication::PrivateKeyJwt;
    let services = [service_of("right", change)?, service_of("unnamed", change)?, service_of("secret", change)?];
    let service = StandInOAuth2::start(services.into_iter().collect()).await?;
    let key = |id: &str, more: &str| {
        declaration_of(&service, id, more).replace(&format!("client-secret = \"{SECRET}\"\n"), "")
    };
    let tables = [
        key("right", &with_key("right")),
        key("unnamed", &with_key("unnamed").replace(CLIENT_KEY_ID, "unknown")),
        declaration_of(&service, "secret", ""),
    ];
    let (host, owner) = host_and_owner(&service, &tables.join("\n")).await?;
    install(&owner, "right").await?;
    let refused = setup_error(&owner, "unnamed").await?;
    assert_snapshot!(refused, @"the assertion: there is no key `unknown` for it among the issuer's");
    let refused = setup_error(&owner, "secret").await?;
    assert_snapshot!(refused, @"client_assertion_type is missing");
    let log = host.log()?;
    assert!(!log.contains("PRIVATE KEY") && !log.contains("eyJ"), "{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_scopes_than_were_asked_for_are_told_in_the_log() -> Result<()> {
    // RFC 6749 sections 3.3 and 5.1.
    let change = |profile: &mut ServiceProfile| {
        profile.token_answer = r#"{"access_token": "TOKEN", "scope": "read"}"#.to_owned();
    };
    let service = StandInOAuth2::start([service_of("acme", change)?].into_iter().collect()).await?;
    let (host, owner) = host_and_owner(&service, &declaration_of(&service, "acme", "")).await?;
    install(&owner, "acme").await?;
    assert_snapshot!(log_line(&host, "fewer scopes were granted than asked for")?, @r#"WARN fewer scopes were granted than asked for setup.id=[id] provider.id="acme" scopes.missing="write""#);
    Ok(())
}

#[test]
fn mistakes_of_a_declaration_by_issuer_are_told() -> Result<()> {
    let said = crate::app::bare()
        .log("error")
        .toml(
            r#"
[providers.query]
issuer = "https://a.example/?x=1"
account = { from = "token", id = "id" }
[providers.bare]
issuer = "https://a.example"
[providers.key]
issuer = "https://a.example"
private-key = "secret"
scopes = ["read"]
account = { from = "id-token", id = "sub" }
[providers.info]
authorize-url = "https://a.example/"
token-url = "https://a.example/"
scopes = ["openid"]
account = { from = "userinfo", id = "sub" }
[providers.words]
issuer = "https://a.example"
account = { from = "id_token", id = "sub" }
"#,
        )
        .start_error()?;
    assert_snapshot!(said, @r#"
    error: 6 mistakes in the configuration
    FOLDER/jackfield.toml:12: providers.query.issuer: an issuer has neither query nor fragment
      help: write it as the service's metadata have it, under `issuer`
    FOLDER/jackfield.toml:14: providers.bare: not in the catalogue, and without account
      help: add what is missing, or take a name that `jackfield provider list` shows
    FOLDER/jackfield.toml:18: providers.key.private-key: not a private key in PEM (PKCS#8) of RSA with 2048 bits or more, P-256 or Ed25519
      help: set all of the key's file, like { file = "acme.pem" }
    FOLDER/jackfield.toml:19: providers.key.scopes: without `openid`, which account.from needs
      help: add it: scopes = ["openid", …]
    FOLDER/jackfield.toml:25: providers.info.account.from: an issuer tells this, and none is set
      help: set `issuer` beside it
    FOLDER/jackfield.toml:28: providers.words.account.from: neither a known word nor a GET or POST of a URL
      help: write "token", "id-token", "userinfo", or a method and a URL like "GET https://api.acme.example/me"
    "#);
    Ok(())
}
