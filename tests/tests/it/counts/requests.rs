//! One setup, one proxied call, one token read, one list.

use std::time::Duration;

use anyhow::Result;
use jackfield_test_support::{postgres::fresh_database, postgres_relay::PostgresRelay};

use super::{
    counted_app::CountedApp,
    kept::{Table, assert_kept},
};

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn requests_cost_on_sqlite_what_is_written_down() -> Result<()> {
    let rows = CountedApp::start(None).await?.count().await?.rows();
    let columns = columns(&["statements", "prepared", "reprepared", "syncs", "allocations"]);
    assert_kept("sqlite.txt", &Table { columns, rows })
}

#[tokio::test]
async fn requests_cost_on_postgresql_what_is_written_down() -> Result<()> {
    let Some(url) = fresh_database() else { return Ok(()) };
    let relay = PostgresRelay::start(&url, Duration::ZERO)?;
    let rows = CountedApp::start(Some(relay)).await?.count().await?.rows();
    assert_kept("postgresql.txt", &Table { columns: columns(&["round-trips", "statements"]), rows })
}
