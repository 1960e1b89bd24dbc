//! What growth costs: the same requests with few integrations in the database and with many. Most
//! belong to other organizations; ours always has a hundred.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{
    arguments::Arguments,
    built::Built,
    calls::{Called, INTEGRATIONS},
    jackfield::Jackfield,
    load::{Until, measured, turns},
    report::{Comparison, Report, Row},
    service::Service,
};

/// People who set up at once.
const PEOPLE: usize = 64;
/// Setups of each person before the clock starts.
const WARM_UP: usize = 4;

/// Measures with each number of integrations.
pub(crate) async fn run(arguments: &Arguments, built: &Built, report: &mut Report) -> Result<()> {
    report.compare(Comparison::Name);
    for count in &arguments.rows {
        report.title(&format!("{count} integrations in the database"));
        let service = Service::start().await?;
        let host = Jackfield::start(arguments, built, &service)?;
        host.seed(*count, INTEGRATIONS).await?;
        requests(arguments, report, &host).await?;
        let (mut people, group) = (host.people(PEOPLE).await?, host.group()?);
        turns(&mut people, Until::Count(WARM_UP * PEOPLE), 0).await?;
        let done = measured(&mut people, arguments.until(), WARM_UP * PEOPLE, &group).await?;
        report.row(Row::of("setups, 64 people", &done));
    }
    report.compare(Comparison::Title);
    Ok(())
}

async fn requests(arguments: &Arguments, report: &mut Report, host: &Jackfield) -> Result<()> {
    let (group, head) = (host.group()?, format!("authorization: Bearer {}\r\n", host.token()?));
    let called = |name| Called { name, address: host.address(), group: &group, head: &head };
    let list = "/api/0/organizations/acme/integrations/";
    let first: Value = serde_json::from_slice(&called("list").once(list).await?)?;
    let first = first.get(0).context("the organization has integrations")?;
    let text = |name: &str| first[name].as_str().map(str::to_owned).with_context(|| format!("{name} in {first}"));
    let (id, external_id) = (text("id")?, text("externalId")?);
    let search = format!("{list}?search={external_id}");
    called("token reads").calls(arguments, report, &format!("{list}{id}/token/"), "\"accessToken\":").await?;
    called("list pages").calls(arguments, report, list, "\"externalId\":").await?;
    called("searches").calls(arguments, report, &search, "\"externalId\":").await
}
