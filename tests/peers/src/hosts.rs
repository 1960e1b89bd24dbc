//! Several hosts on one PostgreSQL, which answers late: a relay adds two milliseconds to each
//! direction of each connection. So it is waiting that limits, and not the two cores, and what a
//! second host adds is seen on a small machine.
//!
//! Hosts and PostgreSQL may use both cores. PostgreSQL is the one of the tests, which does not
//! sync: what a disk takes belongs to `setups`.

use std::time::Duration;

use anyhow::{Context, Result};
use jackfield_test_support::{postgres::fresh_database, postgres_relay::PostgresRelay};

use crate::{
    arguments::Arguments,
    browser::Installer,
    built::Built,
    jackfield::Jackfield,
    load::{Until, measured, turns},
    report::{Report, Row},
    resources::{Group, pin},
    service::Service,
};

/// What the relay adds to each direction.
const DELAY: Duration = Duration::from_millis(2);
/// The people of one host.
const PEOPLE: usize = 64;
/// Setups of each person before the clock starts.
const WARM_UP: usize = 2;
/// Both hosts open what the other has sealed.
const SECRET_KEY: &str = "0123456789abcdef0123456789abcdef0123456789ab";

/// How many hosts, and how many people use all of them together.
const RUNS: [(usize, usize); 3] = [(1, PEOPLE), (2, PEOPLE), (2, 2 * PEOPLE)];

/// Measures setups with one host and with two.
pub(crate) async fn run(arguments: &Arguments, built: &Built, report: &mut Report) -> Result<()> {
    report.title(&format!("hosts on one PostgreSQL, {DELAY:?} added to each direction"));
    for (hosts, people) in RUNS {
        // What starts now may use both cores.
        pin(&[arguments.server_core, arguments.load_core])?;
        let Some(url) = fresh_database() else { return Ok(()) };
        let service = Service::start().await?;
        let relay = PostgresRelay::start(&url, DELAY)?;
        let hosts = started(arguments, built, &service, &relay, hosts)?;
        pin(&[arguments.load_core])?;
        load(arguments, report, &hosts, people, &relay).await?;
    }
    Ok(())
}

fn started(
    arguments: &Arguments,
    built: &Built,
    service: &Service,
    relay: &PostgresRelay,
    count: usize,
) -> Result<Vec<Jackfield>> {
    let cores = format!("{},{}", arguments.server_core, arguments.load_core);
    let start = |_| {
        let builder = Jackfield::builder(arguments, built, service, &cores);
        Jackfield::of(builder.database(Some(relay.url())).secret_key(SECRET_KEY))
    };
    let hosts: Vec<Jackfield> = (0..count).map(start).collect::<Result<_>>()?;
    hosts.first().context("at least one host")?.organize()?;
    Ok(hosts)
}

async fn load(
    arguments: &Arguments,
    report: &mut Report,
    hosts: &[Jackfield],
    count: usize,
    relay: &PostgresRelay,
) -> Result<()> {
    let mut people: Vec<Installer> = Vec::new();
    hosts.first().context("at least one host")?.users(count).await?;
    for (at, host) in hosts.iter().enumerate() {
        let share = count / hosts.len();
        people.extend(host.logged_in(at * share..(at + 1) * share).await?);
    }
    let group = hosts.iter().map(Jackfield::group).collect::<Result<Vec<_>>>()?;
    let group = Group::all(&group);
    let warm_up = WARM_UP * count;
    turns(&mut people, Until::Count(warm_up), 0).await?;
    let before = relay.traffic();
    let done = measured(&mut people, arguments.until(), warm_up, &group).await?;
    let traffic = relay.traffic();
    let each = |after: u64, before: u64| (after - before) as f64 / done.turns as f64;
    let name = if hosts.len() == 1 { "1 host".to_owned() } else { format!("{} hosts", hosts.len()) };
    report.row(Row::of(&format!("{name}, {count} people"), &done));
    println!(
        "    {:.1} round trips and {:.1} statements for each setup, of whatever the hosts did meanwhile",
        each(traffic.round_trips, before.round_trips),
        each(traffic.statements, before.statements)
    );
    Ok(())
}
