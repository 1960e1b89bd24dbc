//! Many at once who ask for little: connections that stay idle, and log-ins, which cost the memory
//! of a password's hash each.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use jackfield_test_support::host::HostBuilder;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::{
    arguments::Arguments,
    browser::Browser,
    built::Built,
    connection::Connection,
    jackfield::Jackfield,
    report::{Report, mib, skipped},
    service::Service,
};

/// Connections that are kept alive.
const IDLE: usize = 10_000;
/// Files that this program has open besides.
const OTHER_FILES: u64 = 200;
/// Log-ins at once.
const LOG_INS: usize = 256;
/// How long memory is watched after the last log-in.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// Opens many connections, sends one request on each, and keeps them.
pub(crate) async fn idle(arguments: &Arguments, built: &Built, report: &mut Report) -> Result<()> {
    report.title(&format!("{IDLE} connections that are kept alive"));
    let mut files = getrlimit(Resource::Nofile);
    if files.maximum.is_some_and(|maximum| maximum < IDLE as u64 + OTHER_FILES) {
        skipped("idle connections, because this user may not open so many files: ulimit -H -n");
        return Ok(());
    }
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files)?;
    let service = Service::start().await?;
    let more = format!("max-connections = {}", IDLE + 100);
    let host = start(arguments, built, &service, |builder| builder.system(&more))?;
    let (group, request) = (host.group()?, format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", host.address()));
    let before = group.memory()?;
    let mut connections = Vec::new();
    for _ in 0..IDLE {
        let mut connection = Connection::to(host.address()).await?;
        connection.ask(request.as_bytes()).await?;
        connections.push(connection);
    }
    let after = group.memory()?;
    println!(
        "  jackfield              RSS {:.0} MiB before, {:.0} MiB with them, {:.1} KiB for each",
        mib(before.own),
        mib(after.own),
        after.own.saturating_sub(before.own) as f64 / 1024.0 / IDLE as f64
    );
    Ok(())
}

/// Logs many in at once, with good passwords and then as people who do not exist.
pub(crate) async fn log_ins(arguments: &Arguments, built: &Built, report: &mut Report) -> Result<()> {
    report.title(&format!("{LOG_INS} log-ins at once"));
    let service = Service::start().await?;
    let host = start(arguments, built, &service, |builder| builder)?;
    host.users(LOG_INS).await?;
    let group = host.group()?;
    println!("  before                 RSS {:.0} MiB", mib(group.memory()?.own));
    for (name, address) in [("good passwords", "person"), ("strangers", "stranger")] {
        let statuses = try_join_all((0..LOG_INS).map(async |number| {
            let mut browser = Browser::at(host.address()).await?;
            browser.try_to_log_in(&format!("{address}-{number}@example.com")).await
        }));
        let mut answers = BTreeMap::<u16, usize>::new();
        statuses.await?.into_iter().for_each(|status| *answers.entry(status).or_default() += 1);
        let during = group.memory()?;
        tokio::time::sleep(AFTERWARDS).await;
        println!(
            "  {name:<22} RSS {:.0} MiB at most, {:.0} MiB {AFTERWARDS:?} later; answers by status: {answers:?}",
            mib(during.peak),
            mib(group.memory()?.own)
        );
    }
    Ok(())
}

fn start(
    arguments: &Arguments,
    built: &Built,
    service: &Service,
    change: impl FnOnce(HostBuilder) -> HostBuilder,
) -> Result<Jackfield> {
    let builder = Jackfield::builder(arguments, built, service, &arguments.server_core.to_string());
    let host = Jackfield::of(change(builder)).context("the host")?;
    host.organize()?;
    Ok(host)
}
