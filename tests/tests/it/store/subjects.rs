//! Subjects and tags of integrations, on SQLite and PostgreSQL: kept with an organization's link,
//! and lists by them.

use std::collections::BTreeMap;

use anyhow::Result;
use jackfield_store::{
    IntegrationId, OrganizationId, Store, StoreResult,
    integrations::{self, NewIntegration, Search},
    organization_integrations::{self, LinkInstalled, NewLink},
    organization_settings::{self, Logo, OrganizationSettings, SameAccount},
    removal,
    revocations::Reason,
    subject::{Subject, Tags},
};
use serde_json::Map;

use super::tables::{each_database, organization};

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Connects the account that has the name as its id.
async fn connect(
    store: &Store,
    organization: OrganizationId,
    name: &str,
    subject: Option<&str>,
    pairs: &[(&str, &str)],
) -> Result<(IntegrationId, LinkInstalled)> {
    let subject = subject.map(|id| Subject::new(id, Some("Ada"))).transpose()?;
    let (name, tags) = (name.to_owned(), Tags::new(tags(pairs))?);
    let connect = move |tx: &mut jackfield_store::Tx<'_>| -> StoreResult<_> {
        let new = NewIntegration { provider: "slack".into(), external_id: name.clone(), name };
        let (stored, _) = integrations::install(tx, &new)?;
        let link = NewLink { added_by: None, metadata: &Map::new(), subject, tags };
        Ok((stored.id, organization_integrations::install(tx, organization, stored.id, link)?))
    };
    Ok(store.write(connect).await?)
}

async fn found(store: &Store, organization: OrganizationId, search: Search) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut after = None;
    loop {
        let (search, from) = (search.clone(), after.take());
        let read = move |tx: &mut jackfield_store::Tx<'_>| {
            integrations::search_of_organization(tx, organization, None, &search, from.as_ref(), 1)
        };
        let Some(row) = store.read(read).await?.pop() else { return Ok(names) };
        after = Some(row.integration.position());
        names.push(row.integration.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn integrations_are_found_by_subject_and_by_tags_in_the_order_of_their_names() -> Result<()> {
    for database in each_database().await? {
        let store = &database.store;
        let (acme, other) = (organization(store, "acme").await?, organization(store, "other").await?);
        for (name, subject, pairs) in [
            ("Charlie", Some("c1"), &[("plan", "pro"), ("region", "eu")][..]),
            ("alpha", Some("c1"), &[("plan", "pro")]),
            ("Bravo", Some("c2"), &[("plan", "pro"), ("region", "us")]),
            ("delta", None, &[("plan", "free")]),
            ("echo", None, &[]),
        ] {
            connect(store, acme, name, subject, pairs).await?;
        }
        connect(store, other, "alpha", Some("c1"), &[("plan", "pro")]).await?;
        for (text, subject, pairs, expected) in [
            ("", None, &[][..], vec!["alpha", "Bravo", "Charlie", "delta", "echo"]),
            ("", Some("c1"), &[], vec!["alpha", "Charlie"]),
            ("", Some("C1"), &[], vec![]),
            ("", None, &[("plan", "pro")], vec!["alpha", "Bravo", "Charlie"]),
            ("b", None, &[("plan", "pro")], vec!["Bravo"]),
            ("delta", None, &[("plan", "pro")], vec![]),
            ("Charlie", Some("c1"), &[], vec!["Charlie"]),
            ("Charlie", Some("c2"), &[], vec![]),
            ("", None, &[("plan", "pro"), ("region", "eu")], vec!["Charlie"]),
            ("", Some("c1"), &[("region", "eu")], vec!["Charlie"]),
            ("", Some("c2"), &[("region", "eu")], vec![]),
            ("", None, &[("region", "")], vec![]),
        ] {
            let search = Search { text: text.into(), subject: subject.map(str::to_owned), tags: tags(pairs) };
            assert_eq!(found(store, acme, search.clone()).await?, expected, "{search:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_reconnects_keeps_subject_and_tags_and_a_program_replaces_them() -> Result<()> {
    for database in each_database().await? {
        let store = &database.store;
        let acme = organization(store, "acme").await?;
        let (id, first) = connect(store, acme, "alpha", Some("c1"), &[("plan", "pro")]).await?;
        assert!(first.is_new && first.former_subject.is_none());
        let (_, again) = connect(store, acme, "alpha", None, &[]).await?;
        assert_eq!(again.link.subject.as_ref().map(Subject::id), Some("c1"));
        assert_eq!(again.link.tags.get("plan"), Some("pro"));
        let (_, moved) = connect(store, acme, "alpha", Some("c2"), &[("plan", "free")]).await?;
        assert_eq!(moved.former_subject.as_ref().map(Subject::id), Some("c1"), "it is told who had it");
        let of = |pairs: &[(&str, &str)]| Search { tags: tags(pairs), ..Search::default() };
        assert!(found(store, acme, of(&[("plan", "pro")])).await?.is_empty());
        assert_eq!(found(store, acme, of(&[("plan", "free")])).await?, ["alpha"]);
        // A service gives the account another name: lists follow.
        let renamed = NewIntegration { provider: "slack".into(), external_id: "alpha".into(), name: "Zulu".into() };
        store.write(move |tx| integrations::install(tx, &renamed)).await?;
        connect(store, acme, "mike", Some("c2"), &[("plan", "free")]).await?;
        assert_eq!(found(store, acme, of(&[("plan", "free")])).await?, ["mike", "Zulu"]);
        store.write(move |tx| removal::unlink(tx, acme, id, Reason::Removed)).await?;
        assert_eq!(found(store, acme, of(&[("plan", "free")])).await?, ["mike"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_without_settings_has_none_and_keeps_what_it_sets() -> Result<()> {
    for database in each_database().await? {
        let store = &database.store;
        let (acme, other) = (organization(store, "acme").await?, organization(store, "other").await?);
        let read = |id| store.read(move |tx| organization_settings::find(tx, id));
        assert_eq!(read(acme).await?, OrganizationSettings::default());
        let wanted = OrganizationSettings {
            display_name: Some("Acme Ltd".into()),
            accent_color: Some("#0050b3".into()),
            allowed_origins: vec!["https://app.example".into()],
            same_account: SameAccount::Two,
            logo_version: None,
        };
        let logo = Logo { bytes: vec![0, 255], media_type: "image/png".into(), version: "v1".into() };
        let (put, kept) = (wanted.clone(), logo.clone());
        let change = move |tx: &mut jackfield_store::Tx<'_>| {
            for _ in 0..2 {
                organization_settings::lock(tx, acme)?;
            }
            organization_settings::put(tx, acme, &put)?;
            organization_settings::put_logo(tx, acme, Some(&kept))
        };
        store.write(change).await?;
        assert_eq!(read(acme).await?, OrganizationSettings { logo_version: Some("v1".into()), ..wanted });
        assert_eq!(read(other).await?, OrganizationSettings::default());
        let logo_of = |slug: &'static str, version: &'static str| {
            store.read(move |tx| organization_settings::logo(tx, slug, version))
        };
        assert_eq!(logo_of("acme", "v1").await?, Some(logo));
        assert_eq!((logo_of("acme", "v0").await?, logo_of("other", "v1").await?), (None, None));
    }
    Ok(())
}
