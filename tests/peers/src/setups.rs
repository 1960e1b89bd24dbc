//! Whole setups by many people at once.

use anyhow::Result;

use crate::{
    arguments::Arguments,
    browser::Installer,
    built::Built,
    express::Express,
    jackfield::Jackfield,
    load::{Until, measured, turns},
    report::{Report, Row},
    resources::Group,
    service::Service,
    yardstick::Yardstick,
};

/// Setups of each person before the clock starts: connections, statements and workers are warm.
const WARM_UP: usize = 4;

/// Measures Jackfield and its peers with each number of people.
pub(crate) async fn run(arguments: &Arguments, built: &Built, report: &mut Report) -> Result<()> {
    for count in &arguments.people {
        report.title(&format!("setups, {count} people at once"));
        let service = Service::start().await?;
        let host = Jackfield::start(arguments, built, &service)?;
        let people = host.people(*count).await?;
        load(arguments, report, "jackfield", people, &host.group()?).await?;
        drop(host);
        if !arguments.alone {
            peers(arguments, report, &service, *count).await?;
        }
    }
    Ok(())
}

async fn peers(arguments: &Arguments, report: &mut Report, service: &Service, count: usize) -> Result<()> {
    let yardstick = Yardstick::start(service, arguments.server_core)?;
    load(arguments, report, "axum + rusqlite", yardstick.people(count).await?, &yardstick.group()?).await?;
    drop(yardstick);
    let Some(express) = Express::start(service, arguments.server_core)? else { return Ok(()) };
    load(arguments, report, "@slack/oauth + Express", express.people(count).await?, &express.group()?).await
}

async fn load(
    arguments: &Arguments,
    report: &mut Report,
    name: &str,
    mut people: Vec<Installer>,
    server: &Group,
) -> Result<()> {
    let warm_up = WARM_UP * people.len();
    turns(&mut people, Until::Count(warm_up), 0).await?;
    let before = server.memory()?;
    let until = arguments.setups.map_or_else(|| arguments.until(), Until::Count);
    let done = measured(&mut people, until, warm_up, server).await?;
    report.row(Row::of(name, &done).memory(before, server.memory()?));
    Ok(())
}
