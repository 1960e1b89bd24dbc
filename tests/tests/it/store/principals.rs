//! Who asks is read in one statement, with the setup that the request is about.

use anyhow::{Context, Result};
use jackfield_store::{
    OrganizationId, StoreResult, Tx, UserId, members, principal, sessions,
    setups::{self, Claim, NewSetup},
    users,
};

use super::tables::{Database, NOW, each_database, organization, user};

const KEY: &[u8] = b"key";
const LATER: time::Duration = time::Duration::minutes(15);

fn start(tx: &mut Tx<'_>, organization: OrganizationId, data: &[u8]) -> StoreResult<()> {
    let (session_key, provider) = (KEY, "slack");
    let expires_at = tx.now() + LATER;
    setups::put(tx, &NewSetup { session_key, provider, organization, sealed_data: data, expires_at })
}

async fn log_in(database: &Database, user: Option<UserId>) -> Result<()> {
    let store = &database.store;
    Ok(store.write(move |tx| sessions::insert(tx, KEY, user, b"sealed", tx.now() + LATER)).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_comes_with_its_user_and_their_role_as_they_are_now() -> Result<()> {
    for database in each_database().await? {
        let store = &database.store;
        let acme = organization(store, "acme").await?;
        let ada = user(store, "ada@example.com").await?;
        let read = || store.read(|tx| principal::in_organization(tx, KEY, "acme"));
        assert!(read().await?.is_none(), "there is no session");
        log_in(&database, Some(ada)).await?;
        let found = read().await?.context("a session")?;
        assert_eq!(
            (found.sealed_session.as_slice(), found.user.map(|user| user.id)),
            (b"sealed".as_slice(), Some(ada))
        );
        assert_eq!((found.organization.map(|found| found.id), found.role), (Some(acme), None));
        store.write(move |tx| members::set(tx, acme, ada, "manager")).await?;
        assert_eq!(read().await?.context("a session")?.role.as_deref(), Some("manager"));
        let elsewhere = store.read(|tx| principal::in_organization(tx, KEY, "nowhere")).await?.context("a session")?;
        assert_eq!((elsewhere.organization, elsewhere.role), (None, None));
        store.write(move |tx| users::disable(tx, ada)).await?;
        let disabled = read().await?.context("a session")?;
        assert_eq!((disabled.user, disabled.role), (None, None));
        let of_session = store.read(|tx| principal::of_session(tx, KEY)).await?;
        assert!(of_session.is_some_and(|found| found.user.is_none()));
        let after = store.clone().at(NOW + LATER);
        assert!(after.read(|tx| principal::of_session(tx, KEY)).await?.is_none(), "it has expired");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_reads_who_asks_and_only_an_unclaimed_setup_is_looked_at() -> Result<()> {
    for database in each_database().await? {
        let store = &database.store;
        let acme = organization(store, "acme").await?;
        let ada = user(store, "ada@example.com").await?;
        store.write(move |tx| members::set(tx, acme, ada, "owner")).await?;
        let claim = || store.write_one(|tx| principal::claim_setup(tx, KEY, "slack"));
        let look = || store.read(|tx| principal::with_setup(tx, KEY, "slack"));
        assert!(claim().await?.is_none() && look().await?.is_none(), "there is no session");
        log_in(&database, Some(ada)).await?;
        assert!(matches!(claim().await?, Some((_, Claim::Missing))));
        assert!(matches!(look().await?, Some((_, None))));
        store.write(move |tx| start(tx, acme, b"one")).await?;
        let (found, data) = look().await?.context("a session")?;
        assert_eq!((data.as_deref(), found.role.as_deref()), (Some(b"one".as_slice()), Some("owner")));
        let Some((found, Claim::Claimed(data, id))) = claim().await? else { anyhow::bail!("nobody else has it") };
        assert_eq!((data.as_slice(), found.organization.map(|found| found.id)), (b"one".as_slice(), Some(acme)));
        assert!(matches!(claim().await?, Some((_, Claim::Busy))));
        assert!(matches!(look().await?, Some((_, None))), "somebody runs it");
        assert!(store.write(move |tx| setups::release(tx, KEY, "slack", id, b"two")).await?);
        let (_, data) = look().await?.context("a session")?;
        assert_eq!(data.as_deref(), Some(b"two".as_slice()));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setup_is_replaced_without_a_claim_only_while_it_is_as_it_was_read() -> Result<()> {
    for database in each_database().await? {
        let store = &database.store;
        let acme = organization(store, "acme").await?;
        let swap = |before: &'static [u8], data: &'static [u8]| {
            store.write(move |tx| setups::swap(tx, KEY, "slack", before, data))
        };
        assert!(!swap(b"one", b"two").await?, "there is none");
        store.write(move |tx| start(tx, acme, b"one")).await?;
        let both = tokio::join!(swap(b"one", b"two"), swap(b"one", b"two"));
        assert!(both.0? ^ both.1?, "of two that have read the same one wins");
        assert!(!swap(b"one", b"three").await?);
        let Claim::Claimed(data, _) = store.write(|tx| setups::claim(tx, KEY, "slack")).await? else {
            anyhow::bail!("nobody has claimed it")
        };
        assert_eq!(data, b"two");
        assert!(!swap(b"two", b"three").await?, "somebody runs it");
    }
    Ok(())
}
