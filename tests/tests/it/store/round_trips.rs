//! How often a host waits for PostgreSQL. Between machines each wait costs more than the work, so
//! the numbers are exact, and a change that adds one is to be seen.

use anyhow::Result;
use jackfield_config::SecretKeys;
use jackfield_store::{AadContext, Sealer, Store, StoreError, StoreResult, Tx, key_rotation, organizations};
use jackfield_test_support::{pgbouncer::PgBouncer, postgres::fresh_database};

const KEY: &str = "Yk3v9QmZ1tR7uW5xB8nC2dF6gH4jL0pS";

async fn opened(url: &str) -> Result<Store> {
    let store = Store::open(url, Sealer::new(SecretKeys::new([KEY]))).await?;
    store.migrate().await?;
    // Its first use opens the connection and prepares.
    store.write(find).await?;
    store.read(find).await?;
    Ok(store)
}

fn find(tx: &mut Tx<'_>) -> StoreResult<()> {
    organizations::by_slug(tx, "acme").map(drop)
}

const CONTEXT: AadContext<'_> = AadContext { table: "t", column: "c", row: &[] };

fn seal(tx: &Tx<'_>) -> Vec<u8> {
    tx.sealer().seal(CONTEXT, &"a secret")
}

/// How often a transaction waits.
async fn writing(store: &Store, run: fn(&mut Tx<'_>) -> StoreResult<()>) -> u64 {
    let before = store.round_trips();
    // What fails costs as well.
    let _ = store.write(run).await;
    store.round_trips() - before
}

/// What runs in a transaction.
type Run = fn(&mut Tx<'_>) -> StoreResult<()>;

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_waits_for_the_answers_that_it_reads_and_for_its_commit() -> Result<()> {
    let Some(url) = fresh_database() else { return Ok(()) };
    let store = opened(&url).await?;
    let before = store.round_trips();
    store.read(find).await?;
    assert_eq!(store.round_trips() - before, 1, "a read has no ping and no transaction");
    let cases: [(&str, u64, Run); 11] = [
        ("nothing", 0, |_| Ok(())),
        ("an answer, the commit", 2, find),
        ("two answers, the commit", 3, |tx| find(tx).and_then(|()| find(tx))),
        ("the commit", 1, |tx| tx.probe_later()),
        ("the commit, whatever was not waited for", 1, |tx| (0..9).try_for_each(|_| tx.probe_later())),
        ("an answer, the commit with what was not waited for", 2, |tx| find(tx).and_then(|()| tx.probe_later())),
        ("which key is current, the commit", 2, |tx| {
            seal(tx);
            tx.probe_later()
        }),
        ("an answer, which tells the key, the commit", 2, |tx| {
            find(tx)?;
            seal(tx);
            tx.probe_later()
        }),
        ("an answer in a savepoint, the commit", 2, |tx| tx.savepoint(find)),
        ("an answer that comes with the commit", 1, |tx| tx.probe_last().map(drop)),
        ("an answer, one that comes with the commit", 2, |tx| find(tx).and_then(|()| tx.probe_last().map(drop))),
    ];
    for (what, expected, run) in cases {
        assert_eq!(writing(&store, run).await, expected, "{what}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_run_twice_asks_for_no_key_and_runs_again_where_another_is_current() -> Result<()> {
    let Some(url) = fresh_database() else { return Ok(()) };
    let (store, other) = (opened(&url).await?, opened(&url).await?);
    store.admit().await?;
    let seal_and_store = |tx: &mut Tx<'_>| {
        let sealed = seal(tx);
        tx.probe_later().map(|()| sealed)
    };
    let stored = || async {
        let (before, probes) = (store.round_trips(), store.read(|tx| tx.probes()).await?);
        let sealed = store.write_repeatable(seal_and_store).await?;
        let round_trips = store.round_trips() - before - 1;
        assert_eq!(store.read(|tx| tx.probes()).await?, probes + 1, "it is stored once");
        other.load_keys().await?;
        let is_under_current = other.sealer().resealed(CONTEXT, &sealed)?.is_none();
        anyhow::Ok((round_trips, is_under_current))
    };
    assert_eq!(stored().await?, (1, true), "all is sent with the commit");
    other.write_exclusively(|tx| key_rotation::add_data_key(tx).map(drop)).await?;
    let (round_trips, is_under_current) = stored().await?;
    assert!(is_under_current && round_trips > 1, "{round_trips} {is_under_current}");
    assert_eq!(stored().await?, (1, true), "from then on the host knows the key");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_later_stores_nothing() -> Result<()> {
    let Some(url) = fresh_database() else { return Ok(()) };
    let store = opened(&url).await?;
    let probes = || store.read(|tx| tx.probes());
    let before = probes().await?;
    let failing = store.write(|tx| {
        tx.probe_later()?;
        tx.fail_later()
    });
    assert!(matches!(failing.await, Err(StoreError::AlreadyExists)), "the commit tells it");
    let swallowed = store.write(|tx| {
        tx.probe_later()?;
        let _ = tx.tamper("SELECT nonsense");
        Ok(())
    });
    assert!(swallowed.await.is_err(), "PostgreSQL commits nothing of it");
    assert_eq!(probes().await?, before);
    let in_savepoint = store.write(|tx| {
        tx.probe_later()?;
        let failed = tx.savepoint(|tx| tx.probe_later().and_then(|()| tx.fail_later()));
        assert!(failed.is_err(), "the end of the savepoint tells it");
        tx.probe_later()
    });
    in_savepoint.await?;
    assert_eq!(probes().await?, before + 2, "what stood around the savepoint is stored");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_with_its_last_statement_is_stored_and_nothing_follows() -> Result<()> {
    let Some(url) = fresh_database() else { return Ok(()) };
    let store = opened(&url).await?;
    let before = store.read(|tx| tx.probes()).await?;
    let changed = store.write(|tx| {
        tx.probe_later()?;
        let changed = tx.probe_last()?;
        assert!(tx.probe_last().is_err() && tx.probe_later().is_err(), "it has ended");
        organizations::by_slug(tx, "acme")?;
        Ok(changed)
    });
    assert_eq!(changed.await?, 1);
    assert_eq!(store.read(|tx| tx.probes()).await?, before + 2);
    let failed = store.write(|tx| {
        tx.fail_later()?;
        tx.probe_last()
    });
    assert!(failed.await.is_err(), "what was sent with it has failed");
    assert_eq!(store.read(|tx| tx.probes()).await?, before + 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_a_transaction_waits_as_often() -> Result<()> {
    let Some(bouncer) = PgBouncer::before_fresh_database() else { return Ok(()) };
    let store = opened(&bouncer.url()).await?;
    assert_eq!(writing(&store, find).await, 2);
    assert_eq!(writing(&store, |tx| (0..9).try_for_each(|_| tx.probe_later())).await, 1);
    Ok(())
}
