//! `jackfield revoke`: the bad night.

use std::{io::IsTerminal, path::Path, time::Duration};

use anyhow::{Context, bail, ensure};
use clap::Args;

use super::revoke_report::{self, Tally};
use crate::{
    clock::Clock,
    config::Settings,
    grants::{Attempted, Fate, Grants, Plan},
    oauth2::Issuers,
    outbound::Outbound,
    plugins::Plugins,
    startup::open_to_write,
    store::{OrganizationId, RevocationId, Store, organizations, revocations},
};

#[derive(Args)]
pub(super) struct Arguments {
    /// Id of the provider whose tokens are to be revoked.
    #[arg(long, value_name = "ID", required_unless_present = "status")]
    provider: Option<String>,
    /// Only what this organization has of the provider. What it shares with others is unlinked from it and stays theirs.
    #[arg(long, value_name = "SLUG")]
    organization: Option<String>,
    /// Count what would be revoked, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation.
    #[arg(long)]
    yes: bool,
    /// Keep the integrations: their tokens are revoked, and their people must authenticate again.
    #[arg(long)]
    keep: bool,
    /// How many to revoke per minute: providers have their limits.
    #[arg(long, value_name = "N", default_value = "60", value_parser = clap::value_parser!(u32).range(1..=6000))]
    per_minute: u32,
    /// Show what is not revoked yet, and what the providers answered; of one provider, or of all.
    #[arg(long, conflicts_with_all = ["dry_run", "keep", "yes"])]
    status: bool,
}

/// Longest pause that a provider is granted here; what wants a longer one is left to the running host.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// How often one that wants a pause is tried.
const MOST_TRIES: u32 = 3;

pub(super) async fn run(arguments: Arguments, file: &Path) -> anyhow::Result<()> {
    let settings = super::settings(file)?;
    let store = open_to_write(&settings).await?;
    let organization = organization(&store, arguments.organization.as_deref()).await?;
    if arguments.status {
        return status(&store, arguments.provider, organization).await;
    }
    let provider = arguments.provider.as_deref().context("--provider is needed")?;
    let grants = grants(store, &settings).await?;
    let plan = grants.plan(provider, organization).await?;
    revoke_report::plan(provider, &plan, arguments.keep);
    if arguments.dry_run || (plan.integrations.is_empty() && plan.open.is_empty()) {
        return Ok(());
    }
    confirm(provider, arguments.yes)?;
    let fate = if arguments.keep { Fate::Kept } else { Fate::Removed };
    let pace = Duration::from_secs(60) / arguments.per_minute;
    let tally = Night { grants, fate, pace }.run(&plan).await?;
    tally.print();
    ensure!(
        tally.is_over(),
        "not all of it is revoked: a running host goes on trying, and this command can be run again"
    );
    Ok(())
}

async fn organization(store: &Store, slug: Option<&str>) -> anyhow::Result<Option<OrganizationId>> {
    let Some(slug) = slug.map(str::to_owned) else { return Ok(None) };
    let asked = slug.clone();
    let found = store.read(move |c| organizations::by_slug(c, &asked)).await?;
    Ok(Some(found.with_context(|| format!("there is no organization `{slug}`"))?.id))
}

/// A plugin that does not load is told and passed over: on such a night the others must work.
async fn grants(store: Store, settings: &Settings) -> anyhow::Result<Grants> {
    let outbound = Outbound::new(&settings.http)?;
    let (plugins, refused) = Plugins::load(settings, &outbound).await;
    refused.iter().for_each(|mistake| eprintln!("note: {mistake}"));
    Ok(Grants::new(store, plugins, Issuers::default(), Clock::system(), None))
}

fn confirm(provider: &str, is_confirmed: bool) -> anyhow::Result<()> {
    if is_confirmed {
        return Ok(());
    }
    let input = std::io::stdin();
    ensure!(input.is_terminal(), "nothing is changed: say --yes, or run it on a terminal and be asked");
    eprint!("There is no way back. Type `{provider}` to go on: ");
    let mut line = String::new();
    input.read_line(&mut line)?;
    if line.trim() != provider {
        bail!("nothing is changed");
    }
    Ok(())
}

/// One run.
struct Night {
    grants: Grants,
    fate: Fate,
    pace: Duration,
}

impl Night {
    async fn run(&self, plan: &Plan) -> anyhow::Result<Tally> {
        let mut tally = Tally::of(plan.integrations.len() + plan.open.len());
        let mut pace = tokio::time::interval(self.pace);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for planned in &plan.integrations {
            pace.tick().await;
            let name = revoke_report::name(&planned.integration.name, &planned.integration.external_id);
            match self.grants.give_up(planned, self.fate).await? {
                Some((id, attempted)) => tally.add(&name, self.patiently(id, attempted).await?),
                None => tally.add_shared(&name),
            }
        }
        for open in &plan.open {
            pace.tick().await;
            let attempted = self.grants.try_again(open.id).await?;
            let name = revoke_report::name(&open.name, &open.external_id);
            tally.add(&name, self.patiently(open.id, attempted).await?);
        }
        Ok(tally)
    }

    /// Waits where the provider asks for it.
    async fn patiently(&self, id: RevocationId, mut attempted: Attempted) -> anyhow::Result<Attempted> {
        for _ in 1..MOST_TRIES {
            let Attempted::Waiting { answer, asked: Some(asked), .. } = &attempted else { break };
            if *asked > LONGEST_PAUSE {
                break;
            }
            println!("  the provider wants a pause of {} s: {answer}", asked.as_secs());
            tokio::time::sleep(*asked).await;
            attempted = self.grants.try_again(id).await?;
        }
        Ok(attempted)
    }
}

async fn status(store: &Store, provider: Option<String>, organization: Option<OrganizationId>) -> anyhow::Result<()> {
    let which = revocations::Which { provider, organization };
    let now = time::OffsetDateTime::now_utc();
    let open = store.read(move |c| revocations::open(c, &which, now, 1000)).await?;
    revoke_report::status(&open);
    Ok(())
}
