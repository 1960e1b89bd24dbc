//! A bad day on SQLite.

use std::sync::mpsc;

use anyhow::Result;

use super::{
    day::Day,
    tally::{Kind, the_database_is_away},
};

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
    let other = day.host().store().await?;
    let ((locked, is_locked), (release, is_released)) = (mpsc::channel(), mpsc::channel::<()>());
    let lock = tokio::spawn(async move {
        let hold = move |_: &mut jackfield_store::Tx<'_>| {
            let _ = locked.send(());
            let _ = is_released.recv();
            Ok(())
        };
        other.write(hold).await
    });
    tokio::task::block_in_place(|| is_locked.recv())?;
    day.tally().step();
    day.tally().until_told(&[Kind::Setup, Kind::LogIn, Kind::Probe], 1).await?;
    release.send(())?;
    Ok(lock.await??)
}
