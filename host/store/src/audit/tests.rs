//! Appending over a real database.

use serde_json::json;

use jackfield_config::SecretKeys;

use super::*;
use crate::{
    Sealer, Store, StoreError, StoreResult, Tx,
    chain::{appended::Appended, chain_memory::ChainMemory},
};

struct Log {
    store: Store,
    _folder: tempfile::TempDir,
}

fn sealer(key: u8) -> Sealer {
    Sealer::new(SecretKeys::new([key.to_string().repeat(40).as_str()]))
}

async fn log() -> Log {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}/jackfield.db", folder.path().display());
    let store = Store::open(&url, sealer(1)).await.expect("a database");
    store.migrate().await.expect("it is migrated");
    Log { store, _folder: folder }
}

/// The same transaction of a host with another secret key.
fn with_key<T>(tx: &mut Tx<'_>, key: u8, run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T>) -> StoreResult<T> {
    let log = Appended::new(&ChainMemory::default());
    let result = run(&mut Tx {
        connection: tx.connection,
        sealer: &sealer(key),
        now: tx.now,
        log: &log,
        recorded: tx.recorded,
        progress: None,
    })?;
    log.write_head(tx.connection)?;
    Ok(result)
}

impl Log {
    async fn append(&self, key: u8, entry: Entry) {
        self.store.write(move |tx| with_key(tx, key, |tx| tx.audit(&entry))).await.expect("it is written");
    }

    async fn rows(&self) -> Vec<Row> {
        self.store.read(|tx| after(tx, &Filter::default(), 0, 100)).await.expect("they are read")
    }

    async fn key(&self, key: u8) -> ChainKey {
        let keys = self.store.read(move |tx| with_key(tx, key, keys)).await.expect("they are read");
        keys.into_iter().find_map(|(_, key)| key.ok()).expect("one opens")
    }
}

fn entry() -> Entry {
    Entry::new(Action::Install, Actor::operator()).provider("slack").detail("scopes", json!(["a"]))
}

#[tokio::test]
async fn rows_are_chained_and_the_head_is_the_last() {
    let log = log().await;
    for _ in 0..3 {
        log.append(1, entry()).await;
    }
    let (key, rows) = (log.key(1).await, log.rows().await);
    let end =
        rows.iter().try_fold(Head::empty(), |head, row| head.followed_by(row, None, &key)).expect("a whole chain");
    let (head, mac) = log.store.read(head).await.expect("a head");
    assert_eq!((&head, head.count, is_head(&key, &head, &mac)), (&end, 3, true));
    assert_eq!((rows[0].detail.as_str(), rows[0].actor_kind.as_str()), (r#"{"scopes":["a"]}"#, "operator"));
}

#[tokio::test]
async fn an_entry_that_is_undone_leaves_no_row() {
    let log = log().await;
    let undone = log.store.write(|tx| {
        tx.audit(&entry())?;
        Err::<(), _>(StoreError::AlreadyExists)
    });
    assert!(undone.await.is_err());
    let nested = log.store.write(|tx| {
        let _ = tx.savepoint(|tx| {
            tx.audit(&entry())?;
            Err::<(), _>(StoreError::AlreadyExists)
        });
        tx.audit(&entry())
    });
    nested.await.expect("it is written");
    assert_eq!(log.rows().await.iter().map(|row| row.id).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn a_lost_key_costs_what_was_before_and_is_told_in_the_log() {
    let log = log().await;
    log.append(1, entry()).await;
    log.append(2, entry()).await;
    let rows = log.rows().await;
    let recorded: Vec<(&str, &str)> = rows.iter().map(|row| (row.action.as_str(), row.result.as_str())).collect();
    assert_eq!(recorded, [("install", "ok"), ("audit-key", "failed"), ("install", "ok")]);
    let head = Head { count: 1, hash: rows[0].hash.clone() };
    let head = head.followed_by(&rows[1], None, &log.key(2).await).expect("it goes on");
    assert!(head.followed_by(&rows[2], None, &log.key(2).await).is_ok());
    assert!(Head::empty().followed_by(&rows[0], None, &log.key(1).await).is_ok(), "with the old key it is verified");
}

#[test]
fn words_are_read_as_they_are_written() {
    for action in Action::ALL {
        assert_eq!(action.to_string().parse(), Ok(*action));
    }
    assert_eq!("boss".parse::<Outcome>(), Err("one of ok, failed, refused".to_owned()));
}
