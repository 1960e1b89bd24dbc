//! Rows of equal refusals, and the refresh token that a second consent keeps: on SQLite and
//! PostgreSQL.

use anyhow::{Context, Result};
use jackfield_store::{
    IntegrationId, OrganizationId, Store, StoreResult,
    grants::{self, Grant, NewGrant, NewTokens, Origin, Scopes, Tokens},
    refresh_refusals::{self, Refusals},
    refreshes::{self, Claim, Failure},
};
use time::{Duration, OffsetDateTime};

use crate::store::tables::{NOW, each_database, install, organization, sealer, workspace};

const LEASE: std::time::Duration = std::time::Duration::from_secs(15);

/// What a setup brings.
fn brought(access: &str, refresh: Option<&str>, origin: Option<Origin>, scopes: &[&str]) -> NewGrant {
    let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let tokens = Tokens {
        access_token: access.to_owned(),
        refresh_token: refresh.map(str::to_owned),
        origin,
        ..Tokens::default()
    };
    let scopes = Scopes { granted: scopes.clone(), requested: scopes };
    let new = NewTokens { tokens, scopes, expires_at: Some(NOW), due_at: None, is_single_use: None };
    NewGrant { name: "access".to_owned(), subject: String::new(), is_of_account: false, new }
}

async fn put(store: &Store, at: (IntegrationId, OrganizationId), new: NewGrant) -> StoreResult<usize> {
    store.write(move |tx| Ok(grants::put(tx, at.0, at.1, vec![new])?.len())).await
}

async fn grant(store: &Store, at: (IntegrationId, OrganizationId)) -> Result<Grant> {
    let found = store.read(move |tx| grants::of_organization(tx, at.1, at.0)).await?;
    found.and_then(|all| all.into_iter().next()).context("a grant")
}

async fn refused(store: &Store, grant: &Grant, signature: &'static str, now: OffsetDateTime) -> Result<Refusals> {
    let store = store.at(now);
    let asked = grant.clone();
    let claim = store.write(move |tx| refreshes::claim(tx, &asked, LEASE, Duration::ZERO)).await?;
    let Claim::Mine(lease, _) = claim else { anyhow::bail!("{claim:?}") };
    let asked = grant.clone();
    let record = store.write(move |tx| refresh_refusals::record(tx, &asked, lease, now, signature, "no")).await?;
    assert!(record.is_some());
    let id = grant.id;
    Ok(store.read(move |tx| refresh_refusals::of(tx, id)).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_refusals_are_counted_and_other_failures_neither_count_nor_end_the_row() -> Result<()> {
    for database in each_database().await? {
        let store = &database.store;
        let acme = organization(store, "acme").await?;
        let at = (install(store, acme, workspace("T1", "One", "")).await?, acme);
        put(store, at, brought("a1", Some("r1"), None, &[])).await?;
        let grant = grant(store, at).await?;
        let hour = |hours| NOW + Duration::hours(hours);
        let row = |signature: &str, count, since| Refusals {
            signature: Some(signature.to_owned()),
            count,
            since: Some(since),
        };
        assert_eq!(refused(store, &grant, "400 odd", hour(0)).await?, row("400 odd", 1, hour(0)));
        assert_eq!(refused(store, &grant, "400 odd", hour(1)).await?, row("400 odd", 2, hour(0)));
        // The service is down for a while.
        let (down, id) = (grant.clone(), grant.id);
        let later = store.at(hour(2));
        let fail = later.write(move |tx| {
            let Claim::Mine(lease, _) = refreshes::claim(tx, &down, LEASE, Duration::ZERO)? else { return Ok(None) };
            refreshes::fail(tx, &down, lease, Failure::Outage(hour(2)), "down")
        });
        assert_eq!(fail.await?, Some(3));
        assert_eq!(refused(store, &grant, "400 odd", hour(3)).await?, row("400 odd", 3, hour(0)));
        let failing = store.read(move |tx| refresh_refusals::failing_since(tx, acme, at.0)).await?;
        assert_eq!(failing, Some(hour(0)));
        assert_eq!(refused(store, &grant, "403 odd", hour(4)).await?, row("403 odd", 1, hour(4)), "another begins");
        let due = store.at(hour(5)).read(|tx| refreshes::due(tx, 10)).await?;
        assert_eq!(due, [id], "nobody has to ask for it");
        // A setup brings new tokens: what was is forgotten.
        put(store, at, brought("a2", Some("r2"), None, &[])).await?;
        assert_eq!(store.read(move |tx| refresh_refusals::of(tx, id)).await?, Refusals::default());
        assert_eq!(store.read(move |tx| refresh_refusals::failing_since(tx, acme, at.0)).await?, None);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_kept_for_the_same_server_client_and_person_and_no_other() -> Result<()> {
    let origin = |server: &str, client: &str, person: &str| {
        let [server, client, person] = [server, client, person].map(str::to_owned);
        Some(Origin { server, client, person })
    };
    let same = || origin("s", "c", "p");
    for database in each_database().await? {
        let store = &database.store;
        let acme = organization(store, "acme").await?;
        let other = organization(store, "other").await?;
        let at = (install(store, acme, workspace("T1", "One", "")).await?, acme);
        let cases = [
            ("the same", brought("a2", None, same(), &["a"]), Some("r1")),
            ("with more scopes", brought("a2", None, same(), &["a", "b"]), Some("r1")),
            ("with fewer scopes", brought("a2", None, same(), &[]), None),
            ("another server", brought("a2", None, origin("t", "c", "p"), &["a"]), None),
            ("another client", brought("a2", None, origin("s", "d", "p"), &["a"]), None),
            ("another person", brought("a2", None, origin("s", "c", "q"), &["a"]), None),
            ("of unknown origin", brought("a2", None, None, &["a"]), None),
            ("with one of its own", brought("a2", Some("r2"), same(), &["a"]), Some("r2")),
        ];
        for (case, second, kept) in cases {
            put(store, at, brought("a1", Some("r1"), same(), &["a"])).await?;
            let replaced = put(store, at, second).await?;
            let tokens = grant(store, at).await?.tokens(&sealer())?;
            assert_eq!((tokens.access_token.as_str(), tokens.refresh_token.as_deref()), ("a2", kept), "{case}");
            assert_eq!(replaced, usize::from(kept != Some("r1")), "{case}: what is kept is not replaced");
        }
        // Another organization's own tokens have nothing to do with it.
        put(store, at, brought("a1", Some("r1"), same(), &["a"])).await?;
        let theirs = (install(store, other, workspace("T1", "One", "")).await?, other);
        put(store, theirs, brought("a2", None, same(), &["a"])).await?;
        assert_eq!(grant(store, theirs).await?.tokens(&sealer())?.refresh_token, None);
        // One that has ended gives nothing.
        let over = grant(store, at).await?;
        store.write(move |tx| grants::end(tx, &over, "over")).await?;
        put(store, at, brought("a2", None, same(), &["a"])).await?;
        assert_eq!(grant(store, at).await?.tokens(&sealer())?.refresh_token, None);
    }
    Ok(())
}
