//! What Jackfield does in a second, beside what others do with the same work: `cargo peers`.

mod arguments;
mod browser;
mod built;
mod calls;
mod connection;
mod crowds;
mod express;
mod growth;
mod hosts;
mod jackfield;
mod load;
mod nginx;
mod report;
mod resources;
mod service;
mod setups;
mod wrk;
mod yardstick;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use arguments::{Arguments, Part};
use built::Built;
use report::Report;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.as_slice() {
        [command, database, service] if command == yardstick::COMMAND => yardstick::serve(database, service),
        _ => start(&Arguments::parse()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the benchmark failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &Arguments) -> Result<()> {
    let built = Built::of(arguments)?;
    resources::pin(&[arguments.load_core])?;
    // One thread: the load generator and the stand-in service share a core anyway.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(arguments, &built))
}

async fn run(arguments: &Arguments, built: &Built) -> Result<()> {
    let mut report = Report::default();
    if arguments.wants(Part::Setups) {
        setups::run(arguments, built, &mut report).await?;
    }
    if [Part::Proxy, Part::Stream, Part::Tokens, Part::List].into_iter().any(|part| arguments.wants(part)) {
        calls::run(arguments, built, &mut report).await?;
    }
    if arguments.wants(Part::Hosts) {
        hosts::run(arguments, built, &mut report).await?;
    }
    if arguments.wants(Part::Growth) {
        growth::run(arguments, built, &mut report).await?;
    }
    if arguments.wants(Part::Idle) {
        crowds::idle(arguments, built, &mut report).await?;
    }
    if arguments.wants(Part::LogIns) {
        crowds::log_ins(arguments, built, &mut report).await?;
    }
    Ok(())
}
