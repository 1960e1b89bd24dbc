//! One setup, one proxied call, one token read, one list.

use std::time::Duration;

use anyhow::{Context, Result};
use jackfield_test_support::{postgres::fresh_database, postgres_relay::PostgresRelay};

use super::{
    counted_app::CountedApp,
    kept::{ALLOCATIONS, INSTRUCTIONS, Table, assert_kept},
};

/// What is counted on SQLite.
const ON_SQLITE: [&str; 6] = ["statements", "prepared", "reprepared", INSTRUCTIONS, "syncs", ALLOCATIONS];

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn requests_cost_on_sqlite_what_is_written_down() -> Result<()> {
    let mut app = CountedApp::start(None).await?;
    let rows = app.count().await?.rows();
    assert_kept("sqlite.txt", &Table { columns: columns(&ON_SQLITE), rows })
}

/// SQLite's instructions show a statement that walks along rows by an index which finds too many:
/// its plan looks like any other.
#[tokio::test]
async fn requests_cost_as_much_among_many_integrations() -> Result<()> {
    let column = ON_SQLITE.iter().position(|name| *name == INSTRUCTIONS).context("the column")?;
    let mut app = CountedApp::start(None).await?;
    let few = app.count().await?.rows();
    app.grow(2000).await?;
    let many = app.count().await?.rows();
    for ((name, few), (_, many)) in few.iter().zip(&many).filter(|((name, _), _)| !name.starts_with("list")) {
        let (few, many) = (few[column], many[column]);
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
