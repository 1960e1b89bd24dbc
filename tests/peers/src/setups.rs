//! Whole setups by many people at once.

use anyhow::Result;

use crate::{
    arguments::Arguments,
    built::Built,
    jackfield::Jackfield,
    load::{Until, measured, turns},
    report::{Report, Row},
    service::Service,
};

/// Setups of each person before the clock starts: connections, statements and workers are warm.
const WARM_UP: usize = 4;

/// Measures Jackfield and its peers with each number of people.
pub(crate) async fn run(arguments: &Arguments, built: &Built, report: &mut Report) -> Result<()> {
    for people in &arguments.people {
        report.title(&format!("setups, {people} people at once"));
        jackfield(arguments, built, report, *people).await?;
    }
    Ok(())
}

async fn jackfield(arguments: &Arguments, built: &Built, report: &mut Report, count: usize) -> Result<()> {
    let service = Service::start().await?;
    let host = Jackfield::start(arguments, built, &service)?;
    let mut people = host.people(count).await?;
    let group = host.group()?;
    let warm_up = WARM_UP * count;
    turns(&mut people, Until::Turns(warm_up), 0).await?;
    let before = group.memory()?;
    let until = arguments.setups.map_or_else(|| arguments.until(), Until::Turns);
    let done = measured(&mut people, until, warm_up, &group).await?;
    report.row(Row::of("jackfield", &done).memory(before, group.memory()?));
    Ok(())
}
