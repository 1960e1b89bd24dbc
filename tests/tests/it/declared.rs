//! Providers that are declared in TOML: every entry of the catalogue against a stand-in that plays its service, and what goes wrong.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use jackfield::plugins::{Entry, catalogue};
use jackfield_tests::{
    host::Host,
    person::Person,
    stand_in_oauth2::{CLIENT, Dialect, SECRET, StandInOAuth2},
};
use serde_json::{Map, Value, json};

use crate::stage::{PASSWORD, Stored, bare};

/// The catalogue's URLs, led to the stand-in; everything else is as an operator enables it.
fn table(entry: &Entry, dialect: &Dialect, service: &StandInOAuth2) -> Result<String> {
    let declared = entry.table();
    let elsewhere = |value: &Value| service.instead_of(entry.id, value.as_str().unwrap_or_default());
    let mut table: Map<String, Value> =
        dialect.options.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    table.insert("client-id".into(), CLIENT.into());
    table.insert("client-secret".into(), SECRET.into());
    for key in ["authorize-url", "token-url", "revocation-url"] {
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

fn http(service: &StandInOAuth2) -> String {
    format!("[http]\nallow-private = [\"127.0.0.1:{}\"]\n", service.port())
}

async fn owner(host: &Host) -> Result<Person> {
    host.organization("acme")?;
    host.user("owner@example.com", PASSWORD)?;
    host.member("acme", "owner@example.com", "owner")?;
    Person::logged_in(&host.url, "owner@example.com", PASSWORD).await
}

/// Sets one up and says which step it came to if it does not come to the end.
async fn install(owner: &Person, id: &str) -> Result<()> {
    let step = owner.start_setup("acme", id).await?;
    let back = owner.visit(step.redirect()?.as_str()).await?;
    let back = back.redirect().context("the authorization endpoint")?;
    let dialog = owner.visit(back.as_str()).await?.dialog()?;
    ensure!(dialog.success, "{}", dialog.detail());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_of_the_catalogue_installs_from_its_services_dialect() -> Result<()> {
    let dialects = Dialect::all()?;
    let ids: Vec<_> = catalogue().iter().map(|entry| entry.id.to_owned()).collect();
    assert_eq!(ids, dialects.keys().cloned().collect::<Vec<_>>(), "each entry has a dialect to be tested against");
    assert!(ids.len() >= 40);
    let service = StandInOAuth2::start(dialects.clone()).await?;
    let tables: Vec<_> =
        catalogue().iter().map(|entry| table(entry, &dialects[entry.id], &service)).collect::<Result<_>>()?;
    let host = bare().toml(&http(&service)).toml(&tables.join("\n")).start()?;
    let owner = owner(&host).await?;
    let mut wrong = BTreeMap::new();
    for id in &ids {
        if let Err(error) = install(&owner, id).await {
            wrong.insert(id, format!("{error:#}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", host.log()?);
    let stored = Stored::of(&host).await?;
    check_integrations(&stored, &dialects).await?;
    check_identities(&stored, &dialects).await
}

async fn check_integrations(stored: &Stored, dialects: &BTreeMap<String, Dialect>) -> Result<()> {
    let integrations = stored.integrations().await?;
    assert_eq!(integrations.len(), dialects.len());
    for (installed, metadata) in integrations {
        let integration = &installed.integration;
        let (id, dialect) = (integration.provider.as_str(), &dialects[&integration.provider]);
        assert_eq!(
            (&integration.external_id, &integration.name),
            (&dialect.installs.id, &dialect.installs.name),
            "{id}"
        );
        let answer: Value = serde_json::from_str(&dialect.token_answer)?;
        let token = metadata["access_token"].as_str().unwrap_or_default();
        assert!(token.starts_with(&format!("access-{id}-")), "{id}");
        assert_eq!(metadata.contains_key("refresh_token"), !answer["refresh_token"].is_null(), "{id}");
        assert_eq!(metadata.contains_key("expires_at"), answer["expires_in"].as_i64().is_some_and(|s| s > 0), "{id}");
        assert!(metadata["scopes"].is_array(), "{id}");
    }
    Ok(())
}

async fn check_identities(stored: &Stored, dialects: &BTreeMap<String, Dialect>) -> Result<()> {
    let identities = stored.identities("owner@example.com").await?;
    let wanted = dialects.iter().filter_map(|(id, dialect)| Some((id, dialect.installs.identity.clone()?)));
    let wanted: BTreeMap<_, _> = wanted.collect();
    assert_eq!(identities.len(), wanted.len());
    for identity in identities {
        let of = identity["type"].as_str().unwrap_or_default().to_owned();
        assert_eq!(identity["external_id"].as_str(), wanted.get(&of).map(String::as_str), "{of}");
    }
    Ok(())
}
