//! Requests that wait for a connection.

use std::sync::mpsc;

use jackfield_config::Database;
use tokio::task::{JoinHandle, yield_now};

use super::*;
use crate::target::Target;

/// A pool of one connection to a new file.
fn pool(folder: &tempfile::TempDir) -> ConnectionPool {
    let url = format!("sqlite://{}/t.db", folder.path().display());
    let database: Database = url.parse().unwrap_or_else(|_| panic!("{url}"));
    let database = Database { pool_size: Some(1), ..database };
    let connector = Connector::new(Target::from(&database)).expect("a database");
    connector.open().map(drop).expect("a file");
    ConnectionPool::new(connector, None)
}

fn read(pool: &ConnectionPool, run: impl FnOnce() -> StoreResult<()> + Send + 'static) -> JoinHandle<StoreResult<()>> {
    let pool = pool.clone();
    tokio::spawn(async move { pool.run(|_| Ok(()), move |_, _| run()).await })
}

#[tokio::test]
async fn who_would_wait_in_vain_is_refused_at_once_and_the_others_are_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let pool = pool(&folder);
    let (go, wait) = mpsc::channel::<()>();
    let held = read(&pool, move || {
        let _ = wait.recv();
        Ok(())
    });
    yield_now().await;
    let waiting: Vec<_> = (0..256).map(|_| read(&pool, || Ok(()))).collect();
    yield_now().await;
    let refused: Vec<_> = (0..9).map(|_| read(&pool, || Ok(()))).collect();
    for one in refused {
        let Err(StoreError::Unavailable(why)) = one.await.expect("no panic") else { panic!("it was not refused") };
        assert_eq!((why.reason, why.reason.retry_after()), (Reason::NoConnectionFree, Duration::from_secs(1)));
    }
    go.send(()).expect("it waits");
    for one in waiting.into_iter().chain([held]) {
        assert_eq!(one.await.expect("no panic").map_err(|error| error.to_string()), Ok(()));
    }
    assert!(read(&pool, || Ok(())).await.expect("no panic").is_ok(), "there is room again");
}

#[tokio::test]
async fn work_that_panics_gives_its_place_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let pool = pool(&folder);
    let lost = read(&pool, || panic!("of a test")).await.expect("no panic reaches who waits");
    assert!(matches!(lost, Err(StoreError::Lost(_))), "{lost:?}");
    assert!(read(&pool, || Ok(())).await.expect("no panic").is_ok());
}

#[tokio::test]
async fn a_file_that_is_gone_is_told_to_who_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let pool = pool(&folder);
    std::fs::remove_file(folder.path().join("t.db")).expect("it is there");
    let lost = read(&pool, || Ok(())).await.expect("no panic");
    assert_eq!(lost.as_ref().map_err(|error| error.unavailable().map(|why| why.reason)), Err(Some(Reason::Replaced)));
}
