//! Transactions that share a commit.

use std::sync::mpsc;

use diesel::{QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::BigInt};

use super::*;
use crate::database::connection::Connector;

#[derive(QueryableByName)]
struct Value {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

fn insert(c: &mut AnyConnection, value: i64) -> StoreResult<()> {
    Ok(c.batch_execute(&format!("INSERT INTO t (value) VALUES ({value})"))?)
}

fn values(c: &mut AnyConnection) -> StoreResult<Vec<i64>> {
    let AnyConnection::Sqlite(sqlite) = c else { panic!("it is SQLite") };
    let rows: Vec<Value> = sql_query("SELECT value FROM t ORDER BY value").load(sqlite)?;
    Ok(rows.into_iter().map(|row| row.value).collect())
}

/// A writer on a new file with a table, which counts how often the keys were looked at.
fn writer(folder: &tempfile::TempDir) -> (Writer, mpsc::Receiver<()>) {
    let connector = Connector::new(format!("sqlite://{}/t.db", folder.path().display()).as_str()).expect("a URL");
    let mut connection = connector.open().expect("a database");
    connection.batch_execute("CREATE TABLE t (value INTEGER NOT NULL UNIQUE)").expect("a table");
    let (looked, looks) = mpsc::channel();
    let check_keys: CheckKeys = Box::new(move |_| {
        looked.send(()).expect("the test counts");
        Ok(())
    });
    (Writer::start(connection, FileIdentity::of(&connector), check_keys).expect("a writer"), looks)
}

#[tokio::test]
async fn of_those_that_share_a_commit_one_that_fails_undoes_nothing_of_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let (writer, looks) = writer(&folder);
    let failing = |c: &mut AnyConnection| {
        insert(c, 2)?;
        insert(c, 2)
    };
    let panicking = |c: &mut AnyConnection| -> StoreResult<()> {
        insert(c, 3)?;
        let AnyConnection::Sqlite(sqlite) = c else { panic!("it is SQLite") };
        sql::begin_part(sqlite)?;
        panic!("of a test")
    };
    let (go, begun, first) = held(&writer);
    let others = async {
        begun.await.expect("it runs");
        tokio::join!(
            writer.write(KeyUse::Seal, |c| insert(c, 1)),
            writer.write(KeyUse::Seal, failing),
            writer.write(KeyUse::Seal, panicking),
            writer.write(KeyUse::Seal, |c| insert(c, 4)),
            async { go.send(()).expect("it waits") }
        )
    };
    let (first, (good, failed, panicked, last, ())) = tokio::join!(first, others);
    assert!(first.is_ok() && good.is_ok() && last.is_ok());
    assert!(matches!(failed, Err(StoreError::AlreadyExists)), "{failed:?}");
    assert!(matches!(panicked, Err(StoreError::Lost(_))), "{panicked:?}");
    assert_eq!(writer.write(KeyUse::None, values).await.expect("they are read"), [0, 1, 4]);
    assert_eq!(looks.try_iter().count(), 2, "once for the first, once for all that waited");
}

#[tokio::test]
async fn one_that_fails_alone_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (writer, _looks) = writer(&folder);
    for _ in 0..2 {
        let failed = writer.write(KeyUse::Seal, |c| {
            insert(c, 1)?;
            Err::<(), _>(StoreError::Nul)
        });
        assert!(matches!(failed.await, Err(StoreError::Nul)));
        let panicked = writer.write(KeyUse::Seal, |c| -> StoreResult<()> {
            insert(c, 1)?;
            panic!("of a test")
        });
        assert!(matches!(panicked.await, Err(StoreError::Lost(_))));
    }
    assert!(writer.write(KeyUse::None, values).await.expect("they are read").is_empty());
}

#[tokio::test]
async fn the_keys_are_looked_at_again_after_they_were_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (writer, looks) = writer(&folder);
    let (go, begun, first) = held(&writer);
    let others = async {
        begun.await.expect("it runs");
        let write = |keys| writer.write(keys, |_| Ok(()));
        tokio::join!(
            write(KeyUse::None),
            write(KeyUse::Seal),
            write(KeyUse::Change),
            write(KeyUse::Seal),
            write(KeyUse::Seal),
            async { go.send(()).expect("it waits") }
        )
    };
    let (first, _) = tokio::join!(first, others);
    assert!(first.is_ok());
    assert_eq!(looks.try_iter().count(), 2 + 1, "by the first, before those that seal, and after the change");
}

/// A transaction that waits until it may go on, and says that it has begun.
fn held(writer: &Writer) -> (mpsc::Sender<()>, oneshot::Receiver<()>, impl Future<Output = StoreResult<()>> + use<'_>) {
    let (go, wait) = mpsc::channel();
    let (begin, begun) = oneshot::channel();
    let first = writer.write(KeyUse::Seal, move |c| {
        let _ = begin.send(());
        let _ = wait.recv();
        insert(c, 0)
    });
    (go, begun, first)
}
