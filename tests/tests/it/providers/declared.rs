//! Providers declared in TOML: every entry of the catalogue with a stand-in for its service, and
//! errors.

use std::{collections::BTreeMap, fmt::Write};

use anyhow::{Context, Result, ensure};
use insta::assert_snapshot;
use jackfield_loader::{CatalogueEntry, catalogue};
use jackfield_test_support::{
    host::Host,
    http_client::HttpClient,
    stand_in_oauth2::{Answers, Authentication, Body, CLIENT, Pkce, SECRET, ServiceProfile, StandInOAuth2},
};
use serde_json::{Map, Value, json};

use crate::app::{AppDatabase, bare, log_line, owner_of_acme, redacted, step_error};

/// The catalogue's URLs, led to the stand-in; everything else is as an operator enables it.
fn table(entry: &CatalogueEntry, profile: &ServiceProfile, service: &StandInOAuth2) -> Result<String> {
    let declared = entry.table();
    let elsewhere = |value: &Value| service.url_of(entry.id, value.as_str().unwrap_or_default());
    let mut table: Map<String, Value> =
        profile.options.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    table.insert("client-id".into(), CLIENT.into());
    table.insert("client-secret".into(), SECRET.into());
    for key in ["authorize-url", "token-url", "refresh-url", "revocation-url"] {
        if let Some(url) = declared.get(key) {
            table.insert(key.into(), elsewhere(url).into());
        }
    }
    let mut account = declared["account"].clone();
    account["from"] = elsewhere(&account["from"]).into();
    table.insert("account".into(), account);
    let all = json!({"providers": {entry.id: table}});
    Ok(toml::to_string(&all)?)
}

pub(crate) fn http(service: &StandInOAuth2) -> String {
    format!("[http]\nallow-private = [\"127.0.0.1:{}\"]\n", service.port())
}

/// Sets a provider up; the error says which step failed.
pub(crate) async fn install(owner: &HttpClient, id: &str) -> Result<()> {
    let step = owner.start_setup("acme", id).await?;
    let back = owner.visit(step.redirect()?.as_str()).await?;
    let back = back.redirect().context("the authorization endpoint")?;
    let dialog = owner.visit(back.as_str()).await?.dialog()?;
    ensure!(dialog.success, "{}", dialog.detail());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_of_the_catalogue_installs_from_its_services_dialect() -> Result<()> {
    let profiles = ServiceProfile::all()?;
    let ids: Vec<_> = catalogue().iter().map(|entry| entry.id.to_owned()).collect();
    assert_eq!(ids, profiles.keys().cloned().collect::<Vec<_>>(), "each entry has a profile to be tested against");
    assert!(ids.len() >= 40);
    let service = StandInOAuth2::start(profiles.clone()).await?;
    let tables: Vec<_> =
        catalogue().iter().map(|entry| table(entry, &profiles[entry.id], &service)).collect::<Result<_>>()?;
    let host = bare().toml(&http(&service)).toml(&tables.join("\n")).start()?;
    let owner = owner_of_acme(&host).await?;
    let mut wrong = BTreeMap::new();
    for id in &ids {
        if let Err(error) = install(&owner, id).await {
            wrong.insert(id, format!("{error:#}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", host.log()?);
    let stored = AppDatabase::of(&host).await?;
    check_integrations(&stored, &profiles).await?;
    check_identities(&stored, &profiles).await
}

async fn check_integrations(stored: &AppDatabase, profiles: &BTreeMap<String, ServiceProfile>) -> Result<()> {
    let integrations = stored.integrations().await?;
    assert_eq!(integrations.len(), profiles.len());
    for (installed, metadata) in integrations {
        let integration = &installed.integration;
        let (id, profile) = (integration.provider.as_str(), &profiles[&integration.provider]);
        assert_eq!(
            (&integration.external_id, &integration.name),
            (&profile.installs.id, &profile.installs.name),
            "{id}"
        );
        let answer: Value = serde_json::from_str(&profile.token_answer)?;
        let token = metadata["access_token"].as_str().unwrap_or_default();
        assert!(token.starts_with(&format!("access-{id}-")), "{id}");
        let grants = stored.grants_of(integration.id).await?;
        let [(grant, tokens)] = grants.as_slice() else { anyhow::bail!("{id}: one grant") };
        assert_eq!((grant.name.as_str(), tokens.access_token.as_str()), ("access", token), "{id}");
        assert_eq!(tokens.refresh_token.is_some(), !answer["refresh_token"].is_null(), "{id}");
        assert_eq!(grant.scopes.missing(), Vec::<&str>::new(), "{id}: all of it is granted");
        let is_lifetime = answer["expires_in"].as_i64().is_some_and(|seconds| seconds > 0);
        assert_eq!(grant.expires_at.is_some(), is_lifetime || !answer["expires_at"].is_null(), "{id}");
        assert!(metadata["scopes"].is_array(), "{id}");
    }
    Ok(())
}

async fn check_identities(stored: &AppDatabase, profiles: &BTreeMap<String, ServiceProfile>) -> Result<()> {
    let identities = stored.identities("owner@example.com").await?;
    let wanted = profiles.iter().filter_map(|(id, profile)| Some((id, profile.installs.identity.clone()?)));
    let wanted: BTreeMap<_, _> = wanted.collect();
    assert_eq!(identities.len(), wanted.len());
    for identity in identities {
        let of = identity["type"].as_str().unwrap_or_default().to_owned();
        assert_eq!(identity["external_id"].as_str(), wanted.get(&of).map(String::as_str), "{of}");
    }
    Ok(())
}

/// A host with declared providers at a stand-in, and its owner.
pub(crate) async fn host_and_owner(service: &StandInOAuth2, declared: &str) -> Result<(Host, HttpClient)> {
    let host = bare().toml(&http(service)).toml(declared).start()?;
    let owner = owner_of_acme(&host).await?;
    Ok((host, owner))
}

/// A service with the most common profile, at `https://{id}.example`, with a change.
pub(crate) fn service_of(id: &str, change: impl FnOnce(&mut ServiceProfile)) -> Result<(String, ServiceProfile)> {
    let text = format!(
        r#"
authorize = "https://{id}.example/authorize"
token = "https://{id}.example/token"
account = "GET https://{id}.example/me"
authentication = "post"
body = "form"
pkce = "verified"
separator = " "
headers = {{ authorization = "Bearer TOKEN" }}
token-answer = '{{"access_token": "TOKEN"}}'
account-answer = '{{"id": 7, "name": "Ada"}}'
installs = {{ id = "7", name = "Ada" }}
"#
    );
    let mut profile: ServiceProfile = toml::from_str(&text)?;
    change(&mut profile);
    Ok((id.to_owned(), profile))
}

/// The declaration for [`service_of`], with more keys.
pub(crate) fn declaration_of(service: &StandInOAuth2, id: &str, more: &str) -> String {
    let text = format!(
        r#"
[providers.{id}]
client-id = "{CLIENT}"
client-secret = "{SECRET}"
authorize-url = "https://{id}.example/authorize"
token-url = "https://{id}.example/token"
scopes = ["read", "write"]
{more}
"#
    );
    let text = service.url_of(id, &text);
    if text.contains("\naccount") {
        return text;
    }
    let account = format!("account = {{ from = \"GET https://{id}.example/me\", id = \"id\", name = \"name\" }}\n");
    text + &service.url_of(id, &account)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declaration_in_another_dialect_than_its_services_is_refused() -> Result<()> {
    type Case = (&'static str, fn(&mut ServiceProfile), &'static str);
    let cases: [Case; 9] = [
        ("basic-wanted", |d| d.authentication = Authentication::Basic, ""),
        ("post-wanted", |_| {}, "client-authentication = \"basic\""),
        ("json-wanted", |d| d.body = Body::Json, ""),
        ("form-wanted", |_| {}, "token-request = \"json\""),
        ("no-pkce", |d| d.pkce = Pkce::Refused, ""),
        ("pkce-required", |d| d.pkce = Pkce::Required, "pkce = false"),
        ("commas", |d| d.separator = ",".to_owned(), ""),
        ("more", |_| {}, "token-parameters = { more = \"1\" }"),
        ("secret", |_| {}, "client-secret = \"guessed\""),
    ];
    let profiles = cases.iter().map(|(id, change, ..)| service_of(id, change)).collect::<Result<_>>()?;
    let service = StandInOAuth2::start(profiles).await?;
    let tables = cases.map(|(id, _, more)| {
        let table = declaration_of(&service, id, more);
        if id == "secret" { table.replace(&format!("client-secret = \"{SECRET}\"\n"), "") } else { table }
    });
    let (_host, owner) = host_and_owner(&service, &tables.join("\n")).await?;
    let mut refusals = String::new();
    for (id, ..) in cases {
        let step = owner.start_setup("acme", id).await?;
        let authorized = owner.visit(step.redirect()?.as_str()).await?;
        let refusal = match authorized.redirect() {
            Ok(back) => owner.visit(back.as_str()).await?.dialog()?.detail().to_owned(),
            Err(_) => authorized.text,
        };
        writeln!(refusals, "{id}: {refusal}")?;
    }
    assert_snapshot!(redacted(&refusals), @r#"
    basic-wanted: the client does not prove itself by Basic alone
    post-wanted: the client does not prove itself by Post alone
    json-wanted: the content type is "application/x-www-form-urlencoded", and not "application/json"
    form-wanted: the content type is "application/json", and not "application/x-www-form-urlencoded"
    no-pkce: {"error":"invalid_request","error_description":"code_challenge is not a parameter of this service"}
    pkce-required: {"error":"invalid_request","error_description":"code_challenge is missing"}
    commas: {"error":"invalid_request","error_description":"scope \"read write\" is separated otherwise"}
    more: more is not a parameter of this service
    secret: another client_secret
    "#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_granted_nothing_is_stored_as_one() -> Result<()> {
    // RFC 6749 section 5.1: only a response without a scope grants what was requested.
    let service = service_of("acme", |profile| {
        profile.token_answer = r#"{"access_token": "TOKEN", "scope": ""}"#.to_owned();
    })?;
    let service = StandInOAuth2::start([service].into()).await?;
    let (host, owner) = host_and_owner(&service, &declaration_of(&service, "acme", "")).await?;
    install(&owner, "acme").await?;
    let stored = AppDatabase::of(&host).await?;
    let (_, metadata) = stored.integrations().await?.remove(0);
    let (grant, _) = stored.grants("7").await?.remove(0);
    assert_eq!((metadata["scopes"].clone(), grant.scopes.granted.len()), (json!([]), 0));
    assert_eq!(grant.scopes.missing(), ["read", "write"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_catalogue_does_not_need_works_too() -> Result<()> {
    let nested = r#"{"ok": true, "data": {"access_token": "TOKEN", "expires_in": "3600", "scope": "b,a"}, "team": {"id": "T1"}}"#;
    let profiles = BTreeMap::from([
        service_of("nested", |profile| {
            (profile.authentication, profile.body) = (Authentication::Basic, Body::Json);
            profile.token_answer = nested.to_owned();
        })?,
        service_of("form", |profile| {
            profile.answers = Answers::Form;
            profile.token_answer = r#"{"access_token": "TOKEN", "user": "ada"}"#.to_owned();
        })?,
    ]);
    let service = StandInOAuth2::start(profiles).await?;
    let nested = "token-path = \"/data\"\nclient-authentication = \"basic\"\ntoken-request = \"json\"\nidentity = { id = \"team.id\", instance = \"x\" }\naccount = { from = \"token\", id = \"team.id\", name = \"team.name\" }";
    let form = "name = \"Formal\"\nicon = \"<svg/>\"\naccount = { id = \"user\" }";
    let tables = [declaration_of(&service, "nested", nested), declaration_of(&service, "form", form)].join("\n");
    let (host, owner) = host_and_owner(&service, &tables).await?;
    for id in ["nested", "form"] {
        install(&owner, id).await.context(id)?;
    }
    let stored = AppDatabase::of(&host).await?;
    let integrations = stored.integrations().await?;
    let names: Vec<_> = integrations.iter().map(|(one, _)| one.integration.name.clone()).collect();
    assert_eq!(names, ["ada", "T1"], "without a name, the id is shown");
    assert_eq!(integrations[1].1["scopes"], json!(["a", "b"]), "the granted ones");
    assert_eq!(
        integrations[0].1["scopes"],
        json!(["read", "write"]),
        "the requested scopes, if the response names none"
    );
    assert!(stored.grants("T1").await?[0].0.expires_at.is_some());
    let identity = &stored.identities("owner@example.com").await?[0];
    assert_eq!((&identity["type"], &identity["instance"]), (&json!("nested"), &json!("x")));
    let list = owner.visit("/api/0/organizations/acme/config/integrations/").await?.json()?;
    let names: Vec<_> = list["providers"].as_array().into_iter().flatten().map(|provider| &provider["name"]).collect();
    assert_eq!(names, ["Formal", "Nested"]);
    assert_snapshot!(log_line(&host, "has nothing at `team.name`")?, @r#"WARN the token answer has nothing at `team.name`, which account.name names, so the id is shown; there is: data, ok, team plugin.name="providers.nested""#);
    let log = host.log()?;
    assert!(!log.contains("access-nested-") && !log.contains(SECRET), "{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_a_declaration_does_not_fit_is_told_in_the_log_without_its_values() -> Result<()> {
    let cases = [
        ("id", "", r#"{"login": "hunter2"}"#),
        ("list", "", r#"["hunter2"]"#),
        ("path", "token-path = \"data\"", "{}"),
        ("token", "token-path = \"access_token\"", "{}"),
        ("elsewhere", "account = { from = \"GET https://elsewhere.example/you\", id = \"id\" }", "{}"),
    ];
    let profiles =
        cases.iter().map(|(id, _, response)| service_of(id, |profile| profile.account_answer = (*response).to_owned()));
    let service = StandInOAuth2::start(profiles.collect::<Result<_>>()?).await?;
    let tables = cases.map(|(id, more, ..)| declaration_of(&service, id, more));
    let (host, owner) = host_and_owner(&service, &tables.join("\n")).await?;
    let mut errors = String::new();
    for (id, ..) in cases {
        let shown = install(&owner, id).await.expect_err("it does not fit").to_string();
        assert_eq!(shown, "an internal error occurred", "{id}");
        writeln!(errors, "{id}: {}", step_error(&host, id)?)?;
    }
    assert_snapshot!(errors, @"
    id: the account's answer has nothing at `id`, which account.id names; there is: login
    list: the account's answer has nothing at `id`, which account.id names; there is: a list of 1
    path: the token answer has nothing at `data`, which token-path names; there is: access_token
    token: the token answer has no access_token; there is: a single value
    elsewhere: the account's URL answered status 400
    ");
    assert!(!host.log()?.contains("hunter2"), "no value is in the log");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_log_in_over_plain_http_unless_it_is_allowed() -> Result<()> {
    // RFC 6749 section 3.1.
    let service = StandInOAuth2::start([service_of("acme", |_| {})?].into_iter().collect()).await?;
    let table = declaration_of(&service, "plain", "");
    let (before, after) = table.split_once("authorize-url = \"").context("it has one")?;
    let (_, after) = after.split_once('"').context("it ends")?;
    let plain = format!("{before}authorize-url = \"http://93.184.216.34/authorize\"{after}");
    let (host, owner) = host_and_owner(&service, &(plain + &declaration_of(&service, "acme", ""))).await?;
    let dialog = owner.start_setup("acme", "plain").await?.dialog()?;
    assert_eq!((dialog.success, dialog.detail()), (false, "an internal error occurred"));
    assert_snapshot!(log_line(&host, "plain http to 93.184.216.34")?, @r#"WARN a step failed setup.id=[id] provider.id="plain" plugin.name="providers.plain" plugin.reason="oauth2" setup.step=0 step.name="oauth2 log-in" step.duration=[duration] error=the authorization endpoint cannot be used: plain http to 93.184.216.34 is refused: use https, or allow the host under [http] allow-private"#);
    install(&owner, "acme").await
}
