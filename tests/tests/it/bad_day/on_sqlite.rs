//! A bad day on SQLite.

use anyhow::Result;

use super::{
    day::Day,
    tally::{Kind, the_database_is_away},
};
use crate::app::LockedDatabase;

#[tokio::test(flavor = "multi_thread")]
async fn on_a_bad_day_on_sqlite_nothing_is_lost_and_everybody_is_told() -> Result<()> {
    let mut day = Day::begin(None).await?;
    day.phase("another process has locked the database", the_database_is_away, a_lock).await?;
    day.everything_else().await?;
    day.goes_on_with_a_copy().await?;
    day.end().await
}

/// Another process writes and does not end.
async fn a_lock(day: &Day) -> Result<()> {
    let lock = LockedDatabase::of(day.host()).await?;
    day.tally().step();
    day.tally().until_told(&[Kind::Setup, Kind::LogIn, Kind::Probe], 1).await?;
    lock.release().await
}
