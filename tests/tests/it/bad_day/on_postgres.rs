//! A bad day on PostgreSQL.

use anyhow::Result;
use jackfield_test_support::faulty_postgres::FaultyPostgres;

use super::{
    day::Day,
    tally::{Kind, nothing_fails, the_database_is_away},
};

const EVERYBODY: [Kind; 6] = [Kind::Setup, Kind::Token, Kind::Call, Kind::LogIn, Kind::Webhook, Kind::Probe];

#[tokio::test(flavor = "multi_thread")]
async fn on_a_bad_day_on_postgres_nothing_is_lost_and_everybody_is_told() -> Result<()> {
    let Some(postgres) = FaultyPostgres::start() else { return Ok(()) };
    let mut day = Day::begin(Some(postgres.url())).await?;
    day.phase("the database ends all connections", the_database_is_away, async |_| {
        let end =
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'jf'";
        postgres.sql(end).map(drop)
    })
    .await?;
    day.phase("the database restarts", the_database_is_away, async |_| {
        tokio::task::block_in_place(|| postgres.down().and_then(|()| postgres.up()))
    })
    .await?;
    day.phase("the database is down", the_database_is_away, async |day| {
        tokio::task::block_in_place(|| postgres.down())?;
        day.tally().step();
        day.tally().until_told(&EVERYBODY, 1).await?;
        tokio::task::block_in_place(|| postgres.up())
    })
    .await?;
    day.phase("the database does not answer", the_database_is_away, async |day| {
        postgres.signal("STOP")?;
        day.tally().step();
        day.tally().until_told(&EVERYBODY, 1).await?;
        postgres.signal("CONT")
    })
    .await?;
    let second = day.second_host()?;
    day.phase("a second host serves beside, and nobody reads its log", nothing_fails, async |day| {
        day.is_served_by(&second).await
    })
    .await?;
    drop(second);
    day.everything_else().await?;
    day.end().await
}
