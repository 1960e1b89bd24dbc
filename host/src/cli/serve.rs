//! `jackfield serve` and `jackfield migrate`.

use std::{io::Write, net::SocketAddr, path::Path, time::Duration};

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::{expiry::patience, lines::line};
use crate::allocator::give_memory_back;
use jackfield_config::Settings;
use jackfield_server::{
    connections::raise_file_limit,
    startup::{Application, StartupError, Stop, Waiting},
};
use jackfield_services::open;

/// What `serve` and `migrate` take.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Wait for a database that is not up yet, at most this long, like 30s or 2m.
    #[arg(long, value_name = "DURATION", default_value = "0s", hide_default_value = true, value_parser = patience)]
    wait_for_database: Duration,
}

/// Serves until SIGTERM or SIGINT, and reloads the configuration at SIGHUP.
pub(super) async fn serve(Arguments { wait_for_database }: Arguments, file: &Path) -> anyhow::Result<()> {
    leave_no_core();
    give_memory_back();
    if let Err(error) = raise_file_limit() {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
    // Before anything else, so that a signal during a slow start is not lost.
    let stop = stop_at_signals()?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let waiting = Waiting { for_database: wait_for_database, stop: stop.clone() };
    let application = match Application::build(file, waiting).await {
        Err(StartupError::Stopped) => return Ok(()),
        built => built?,
    };
    print_address(application.address()?);
    let reloader = application.reloader();
    let reloads = tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            // The result is in the log.
            let _ = reloader.reload().await;
        }
    });
    application.run_until_stopped(&stop).await;
    reloads.abort();
    Ok(())
}

/// SIGTERM and SIGINT stop the host. The second one hurries it.
fn stop_at_signals() -> std::io::Result<Stop> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = Stop::default();
    let asked = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => asked.ask(),
                _ = interrupt.recv() => asked.ask(),
            }
        }
    });
    Ok(stop)
}

/// For whoever has started the host. It serves also where nobody reads.
fn print_address(address: SocketAddr) {
    let mut out = std::io::stdout();
    if let Err(error) = writeln!(out, "listening on http://{address}").and_then(|()| out.flush()) {
        tracing::warn!(%error, server.address = %address, "the address cannot be printed");
    }
}

/// Brings the database up to date and prints the migrations. It needs no secret key.
pub(super) async fn migrate(Arguments { wait_for_database }: Arguments, settings: Settings) -> anyhow::Result<()> {
    if !wait_for_database.is_zero() {
        open::wait_for_database(&settings, wait_for_database).await?;
    }
    let applied = open::migrate_without_key(&settings).await?;
    if applied.is_empty() {
        line!("the database is up to date");
    }
    for migration in applied {
        line!("applied {migration}");
    }
    Ok(())
}

/// A core dump of this process would hold every secret in use. Plugin processes do the same for
/// themselves.
fn leave_no_core() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let limited = setrlimit(Resource::Core, none);
    // The limit does not hold where core dumps go to a program; this does. It also keeps other
    // processes of the same user from reading the memory.
    let undumpable = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if let Err(error) = limited.and(undumpable) {
        tracing::warn!(%error, "if this host crashes, it may leave a core dump with secrets in it");
    }
}
