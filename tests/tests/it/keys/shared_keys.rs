//! Keys of several hosts on one database: which hosts may start, when they learn of a new key, and
//! rotations at the same time.

use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::future::{join, join_all, try_join};
use insta::{allow_duplicates, assert_snapshot};
use jackfield_config::SecretKeys;
use jackfield_services::keys::{Keys, Rotation};
use jackfield_store::{
    IntegrationId, SealError, Sealer, Store, StoreError, StoreResult, Tx, audit,
    integrations::{self, NewIntegration},
    key_rotation, organization_integrations, organizations,
};
use jackfield_test_support::postgres::{databases, fresh_database};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::app::{PASSWORD, bare, redacted, redacted_with};

const OURS: &str = "a key that all hosts have, of more than thirty-two characters";
const ANOTHER: &str = "a key that one host has, of more than thirty-two characters";

/// How many read at once.
const READERS: usize = 24;
/// How often keys are rotated.
const ROTATIONS: usize = 8;

async fn open(url: &str, key: &str) -> Result<Store> {
    Ok(Store::open(url, Sealer::new(SecretKeys::new([key]))).await?)
}

/// A migrated database and its folder, which is SQLite's.
async fn migrated(database: Option<String>) -> Result<(String, TempDir)> {
    let folder = tempfile::tempdir()?;
    let url = database.unwrap_or_else(|| format!("sqlite://{}/jackfield.db", folder.path().display()));
    jackfield_store::migrate(&url).await?;
    Ok((url, folder))
}

fn metadata() -> Map<String, Value> {
    json!({"access_token": "xoxb-1"}).as_object().cloned().unwrap_or_default()
}

/// Seals a value, as every writer does.
async fn install(store: &Store) -> StoreResult<IntegrationId> {
    let (provider, external_id, name) = ("p".to_owned(), "one".to_owned(), "One".to_owned());
    let new = NewIntegration { provider, external_id, name };
    let install = move |tx: &mut Tx<'_>| {
        let organization = match organizations::by_slug(tx, "acme")? {
            Some(acme) => acme.id,
            None => organizations::insert(tx, "acme", "Acme")?,
        };
        let id = integrations::install(tx, &new)?.0.id;
        organization_integrations::install(
            tx,
            organization,
            id,
            organization_integrations::NewLink::of_person(None, &metadata()),
        )?;
        Ok(id)
    };
    store.write(install).await
}

async fn read(store: &Store, id: IntegrationId) -> StoreResult<Option<Map<String, Value>>> {
    let read = move |tx: &mut Tx<'_>| {
        let acme = organizations::by_slug(tx, "acme")?.expect("it was created").id;
        organization_integrations::metadata(tx, acme, id)
    };
    store.read(read).await
}

async fn admit(store: &Store) -> StoreResult<()> {
    store.admit().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_host_decides_on_the_secret_key() -> Result<()> {
    for database in databases() {
        let (url, _folder) = migrated(database).await?;
        let (first, second) = (open(&url, OURS).await?, open(&url, ANOTHER).await?);
        admit(&first).await?;
        let refused = admit(&second).await;
        assert!(matches!(refused, Err(StoreError::Seal(SealError::Wrapped { .. }))), "{refused:?}");
        assert!(install(&second).await.is_err(), "nor is it logged");
        let id = install(&first).await?;
        let third = open(&url, OURS).await?;
        admit(&third).await?;
        assert_eq!(read(&third, id).await?, Some(metadata()));
        assert_eq!(Keys::new(third).status().await?.keys.len(), 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_come_first_at_once_agree_on_one_key() -> Result<()> {
    for database in databases() {
        let (url, _folder) = migrated(database).await?;
        let stores = join_all((0..4).map(|n| open(&url, if n % 2 == 0 { OURS } else { ANOTHER }))).await;
        let stores = stores.into_iter().collect::<Result<Vec<_>>>()?;
        let admitted: Vec<bool> = join_all(stores.iter().map(admit)).await.iter().map(Result::is_ok).collect();
        assert!(admitted == [true, false, true, false] || admitted == [false, true, false, true], "{admitted:?}");
        let status = Keys::new(stores[0].clone()).status().await?;
        assert_eq!(status.keys.len(), 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sealed_before_there_was_a_data_key_decides_as_well() -> Result<()> {
    for database in databases() {
        let (url, _folder) = migrated(database).await?;
        // As a host of an older version did: under what is derived from the secret key.
        let old = open(&url, OURS).await?;
        let id = install(&old).await?;
        let other = open(&url, ANOTHER).await?;
        let refused = admit(&other).await;
        assert!(matches!(refused, Err(StoreError::Seal(SealError::Key { .. }))), "{refused:?}");
        let new = open(&url, OURS).await?;
        admit(&new).await?;
        let refused = admit(&other).await;
        assert!(matches!(refused, Err(StoreError::Seal(SealError::Wrapped { .. }))), "{refused:?}");
        assert_eq!(read(&new, id).await?, Some(metadata()));
        install(&old).await?;
        assert_eq!(read(&new, id).await?, Some(metadata()), "the older one goes on");
        Keys::new(new.clone()).resume().await?;
        let status = Keys::new(new.clone()).status().await?;
        assert!(status.secret_keys[0].values == 0 && status.keys.len() == 1, "all is under the data key: {status:?}");
        assert_eq!(read(&old, id).await?, Some(metadata()));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_or_a_command_without_the_secret_key_of_its_database_does_nothing() -> Result<()> {
    for database in databases() {
        let mut one = bare().database(database.clone()).secret_key(OURS).start()?;
        one.user("owner@example.com", PASSWORD)?;
        if database.is_none() {
            // One host serves with a SQLite file, whatever its key.
            one.signal("TERM")?;
            one.exit_code()?;
        }
        let url = database.unwrap_or_else(|| format!("sqlite://{}/data/jackfield.db", one.folder().display()));
        let (with, without) =
            (|| bare().database(Some(url.clone())).secret_key(ANOTHER), || bare().database(Some(url.clone())));

        let said = with().start_error()?;
        allow_duplicates! {
            assert_snapshot!(redacted(&said), @"
        error: 1 mistake in the configuration
        FOLDER/jackfield.toml:6: system.secret-key: the key in this file: this database's secrets are sealed under another secret key ([key]); with what is here ([key]) nothing could be opened
          help: put that key there: another host of this installation has it, or a backup. All hosts of one installation share one secret key
        ");
        }
        let said = without().start_error()?;
        allow_duplicates! {
            assert_snapshot!(redacted(&said), @"
        error: 1 mistake in the configuration
        FOLDER/jackfield.toml: system.secret-key: FOLDER/data/secret.key: there is no such file, and this database's secrets are sealed under the secret key [key]
          help: put that key there: another host of this installation has it, or a backup. A new one would open nothing
        ");
        }

        let mut refusals = String::new();
        for folder in [with().folder_only(), without().folder_only()] {
            for command in [&["user", "create", "ada@example.com", "--password-stdin"][..], &["key", "rotate"]] {
                let output = folder.run_with(command, PASSWORD)?;
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(!output.status.success(), "{command:?}: {said}");
                refusals.push_str(&said.replace(&folder.folder().display().to_string(), "FOLDER"));
            }
            assert!(!folder.folder().join("data/secret.key").exists(), "no key is made");
        }
        allow_duplicates! {
            assert_snapshot!(redacted(&refusals), @"
            error: 1 mistake in the configuration
            FOLDER/jackfield.toml:6: system.secret-key: the key in this file: this database's secrets are sealed under another secret key ([key]); with what is here ([key]) nothing could be opened
              help: put that key there: another host of this installation has it, or a backup. All hosts of one installation share one secret key
            error: 1 mistake in the configuration
            FOLDER/jackfield.toml:6: system.secret-key: the key in this file: this database's secrets are sealed under another secret key ([key]); with what is here ([key]) nothing could be opened
              help: put that key there: another host of this installation has it, or a backup. All hosts of one installation share one secret key
            error: 1 mistake in the configuration
            FOLDER/jackfield.toml: system.secret-key: FOLDER/data/secret.key: there is no such file, and this database's secrets are sealed under the secret key [key]
              help: put that key there: another host of this installation has it, or a backup. A new one would open nothing
            error: 1 mistake in the configuration
            FOLDER/jackfield.toml: system.secret-key: FOLDER/data/secret.key: there is no such file
              help: run this in the folder that the host runs in, or write the file's whole path here; on another machine, copy the key of the installation's hosts. In a new installation the first command that writes makes it, such as `jackfield serve`
            ");
        }
        assert_eq!(one.run(&["key", "check"], "")?, "every sealed value can be opened");
        let said = one.run(&["audit", "verify"], "")?;
        allow_duplicates! {
            assert_snapshot!(redacted_with(&said, &[(r"^\d+ rows", "[count] rows"), (r"head \d+", "head [count]")]), @"
            [count] rows, none changed
            head [count]:[digest]
            ");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_read_at_once_after_a_rotation_elsewhere_are_served() -> Result<()> {
    for database in databases() {
        let (url, _folder) = migrated(database).await?;
        let (one, two) = (open(&url, OURS).await?, open(&url, OURS).await?);
        admit(&one).await?;
        let id = install(&one).await?;
        let keys = Keys::new(one);
        for round in 0..ROTATIONS {
            keys.rotate(Rotation::DataKey, |_| ()).await?;
            let readers = (0..READERS).map(|_| {
                let two = two.clone();
                tokio::spawn(async move { read(&two, id).await })
            });
            for read in join_all(readers).await {
                assert_eq!(read?.with_context(|| format!("rotation {round}"))?, Some(metadata()));
            }
        }
    }
    Ok(())
}

/// Comes back once this many transactions of the database wait for others.
async fn until_waiting(store: &Store, count: i64) -> Result<()> {
    while store.read(|tx| tx.waiting_transactions()).await? < count {
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_that_change_the_keys_at_the_same_time_take_turns() -> Result<()> {
    let Some(url) = fresh_database() else { return Ok(()) };
    let (url, _folder) = migrated(Some(url)).await?;
    let (one, two, third) = (open(&url, OURS).await?, open(&url, OURS).await?, open(&url, OURS).await?);
    admit(&one).await?;
    // Neither can see which key is current before both have begun.
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let locking = third.write(move |tx| {
        tx.tamper("LOCK TABLE seal_keys IN ACCESS EXCLUSIVE MODE")?;
        let _ = (begun.send(()), is_done.recv());
        Ok(())
    });
    let changing = async {
        has_begun.await?;
        let both = [&one, &two].map(|store| {
            let store = store.clone();
            tokio::spawn(async move { store.write_exclusively(key_rotation::add_data_key).await })
        });
        tokio::time::timeout(Duration::from_secs(30), until_waiting(&one, 2)).await??;
        drop(done);
        let [first, second] = both;
        anyhow::Ok((first.await??, second.await??))
    };
    let (locked, changed) = join(locking, changing).await;
    let (first, second) = locked.map_err(anyhow::Error::from).and(changed)?;
    assert_ne!(first, second, "each has made a key");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_rotate_side_by_side() -> Result<()> {
    let Some(url) = fresh_database() else { return Ok(()) };
    let (url, _folder) = migrated(Some(url)).await?;
    let (one, two) = (open(&url, OURS).await?, open(&url, OURS).await?);
    admit(&one).await?;
    let id = install(&one).await?;
    let (here, there) = (Keys::new(one.clone()), Keys::new(two.clone()));
    let newest = jackfield_store::hex(&one.sealer().secret_keys().newest().id());
    for _ in 0..ROTATIONS {
        let line = || Rotation::SecretKey { newest: newest.clone() };
        try_join(here.rotate(line(), |_| ()), there.rotate(line(), |_| ())).await?;
    }
    here.rotate(Rotation::DataKey, |_| ()).await?;
    for store in [&one, &two] {
        assert_eq!(read(store, id).await?, Some(metadata()));
    }
    let chain = one.read(audit::keys).await?;
    assert!(chain.len() >= 2 * ROTATIONS && chain.iter().all(|(_, key)| key.is_ok()), "the log has a key for each");
    assert!(here.check().await?.is_empty());
    Ok(())
}
