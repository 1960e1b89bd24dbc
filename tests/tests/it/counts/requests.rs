//! One setup, one proxied call, one token read, one list.

use std::time::Duration;

use anyhow::Result;
use jackfield_test_support::{postgres::fresh_database, postgres_relay::PostgresRelay};

use super::{
    counted_app::CountedApp,
    kept::{Table, assert_kept},
};

/// The column.
const INSTRUCTIONS: usize = 3;

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn requests_cost_on_sqlite_what_is_written_down() -> Result<()> {
    let mut app = CountedApp::start(None).await?;
    let rows = app.count().await?.rows();
    let columns = columns(&["statements", "prepared", "reprepared", "instructions", "syncs", "allocations"]);
    assert_kept("sqlite.txt", &Table { columns, rows })
}

/// SQLite's instructions show a statement that walks along rows by an index which finds too many:
/// its plan looks like any other.
#[tokio::test]
async fn requests_cost_as_much_among_many_integrations() -> Result<()> {
    let mut app = CountedApp::start(None).await?;
    let few = app.count().await?.rows();
    app.grow(2000).await?;
    let many = app.count().await?.rows();
    for ((name, few), (_, many)) in few.iter().zip(&many).filter(|((name, _), _)| !name.starts_with("list")) {
        let (few, many) = (few[INSTRUCTIONS], many[INSTRUCTIONS]);
        assert!(many as f64 <= few as f64 * 1.1, "{name}: {few} instructions of SQLite, and {many} among many");
    }
    Ok(())
}

#[tokio::test]
async fn requests_cost_on_postgresql_what_is_written_down() -> Result<()> {
    let Some(url) = fresh_database() else { return Ok(()) };
    let relay = PostgresRelay::start(&url, Duration::ZERO)?;
    let rows = CountedApp::start(Some(relay)).await?.count().await?.rows();
    assert_kept("postgresql.txt", &Table { columns: columns(&["round-trips", "statements"]), rows })
}
