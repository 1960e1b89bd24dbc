//! `jackfield revoke`: the bad night.

use std::{io::IsTerminal, path::Path, time::Duration};

use anyhow::{Context, bail, ensure};
use clap::Args;
use time::OffsetDateTime;

use super::revoke_report::{self, Tally};
use jackfield_config::{Settings, clock::Clock};
use jackfield_loader::Plugins;
use jackfield_oauth2::Issuers;
use jackfield_outbound::Outbound;
use jackfield_services::grants::{Attempted, Fate, Grants, Plan};
use jackfield_services::open::open_to_write;
use jackfield_store::{OrganizationId, RevocationId, Store, organizations, revocations};

#[derive(Args)]
pub(super) struct Arguments {
    /// Id of the provider whose tokens are to be revoked.
    #[arg(long, value_name = "ID", required_unless_present = "status")]
    provider: Option<String>,
    /// Only what this organization has of the provider. What it shares with others is unlinked from it and stays theirs.
    #[arg(long, value_name = "SLUG")]
    organization: Option<String>,
    /// Only what was given up before and is not revoked: nothing that is in use is given up.
    #[arg(long, conflicts_with = "keep")]
    again: bool,
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
    /// Show what is not revoked, and what the providers answered; of one provider, or of all.
    #[arg(long, conflicts_with_all = ["again", "dry_run", "keep", "yes"])]
    status: bool,
}

/// Longest pause that a provider is granted here. One that wants a longer one is asked no further: the rest is left to the running host.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// How often one that wants a pause is tried.
const MOST_TRIES: u32 = 3;

pub(super) async fn run(arguments: Arguments, file: &Path) -> anyhow::Result<()> {
    let settings = super::settings(file)?;
    let (store, _) = open_to_write(&settings).await?;
    let organization = organization(&store, arguments.organization.as_deref()).await?;
    if arguments.status {
        return status(&store, arguments.provider, organization).await;
    }
    let provider = arguments.provider.as_deref().context("--provider is needed")?;
    let grants = grants(store, &settings).await?;
    let mut plan = grants.plan(provider, organization).await?;
    if arguments.again {
        plan = plan.only_from_before();
        revoke_report::plan_again(provider, &plan);
    } else {
        revoke_report::plan(provider, &plan, arguments.keep);
    }
    if arguments.dry_run || (plan.integrations.is_empty() && plan.open.is_empty()) {
        return Ok(());
    }
    confirm(provider, arguments.yes)?;
    let fate = if arguments.keep { Fate::Kept } else { Fate::Removed };
    let pace = Duration::from_secs(60) / arguments.per_minute;
    let tally = Night { grants, fate, pace, leave_alone_until: None }.run(&plan).await?;
    tally.print();
    tally.left_in_words(provider).map_or(Ok(()), |words| bail!("not all of it is revoked: {words}"))
}

async fn organization(store: &Store, slug: Option<&str>) -> anyhow::Result<Option<OrganizationId>> {
    let Some(slug) = slug.map(str::to_owned) else { return Ok(None) };
    let asked = slug.clone();
    let found = store.read(move |tx| organizations::by_slug(tx, &asked)).await?;
    Ok(Some(found.with_context(|| format!("there is no organization `{slug}`"))?.id))
}

/// A plugin that does not load is told and passed over: on such a night the others must work.
async fn grants(store: Store, settings: &Settings) -> anyhow::Result<Grants> {
    let outbound = Outbound::new(&settings.http)?;
    let (plugins, refused) = Plugins::load(settings, &outbound).await;
    refused.iter().for_each(|diagnostic| eprintln!("note: {diagnostic}"));
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
    /// Since when the provider wants a pause that nobody waits for here.
    leave_alone_until: Option<OffsetDateTime>,
}

impl Night {
    async fn run(mut self, plan: &Plan) -> anyhow::Result<Tally> {
        let mut tally = Tally::of(plan.integrations.len() + plan.open.len());
        let mut pace = tokio::time::interval(self.pace);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for planned in &plan.integrations {
            let name = revoke_report::name(&planned.integration.name, &planned.integration.external_id);
            if let Some(until) = self.leave_alone_until {
                match self.grants.give_up_unasked(planned, self.fate, until).await? {
                    Some(_) => tally.add_unasked(&name),
                    None => tally.add_shared(&name),
                }
                continue;
            }
            pace.tick().await;
            match self.grants.give_up(planned, self.fate).await? {
                Some((id, attempted)) => tally.add(&name, self.patiently(id, attempted).await?),
                None => tally.add_shared(&name),
            }
        }
        for open in &plan.open {
            let name = revoke_report::name(&open.name, &open.external_id);
            if self.leave_alone_until.is_some() {
                tally.add_unasked(&name);
                continue;
            }
            pace.tick().await;
            let attempted = self.grants.try_again(open.id).await?;
            tally.add(&name, self.patiently(open.id, attempted).await?);
        }
        Ok(tally)
    }

    /// Waits where the provider asks for it, as long as that can be waited for.
    async fn patiently(&mut self, id: RevocationId, mut attempted: Attempted) -> anyhow::Result<Attempted> {
        for _ in 1..MOST_TRIES {
            let Attempted::Waiting { answer, asked: Some(asked), retry_at } = &attempted else { break };
            if *asked > LONGEST_PAUSE {
                println!("  the provider wants a pause of {} s: it is asked no further now", asked.as_secs());
                self.leave_alone_until = Some(*retry_at);
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
    let open = store.read(move |tx| revocations::unrevoked(tx, &which, 1000)).await?;
    revoke_report::status(&open);
    Ok(())
}
