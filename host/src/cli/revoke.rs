//! `jackfield revoke`: arguments, confirmation and what is printed.

use anyhow::{Context, bail};
use clap::Args;

use super::{
    confirm::confirm,
    errors::print_refused,
    revoke_report::{self, Tally},
};
use jackfield_config::{Settings, clock::Clock};
use jackfield_services::{
    accounts::Accounts,
    open::{load_plugins, open_to_write},
    revocations::{BulkRun, Disposition, Revocations, check_provider},
};

#[derive(Args)]
pub(super) struct Arguments {
    /// Id of the provider whose tokens are to be revoked.
    #[arg(long, value_name = "ID", required_unless_present = "status")]
    provider: Option<String>,
    /// Only what this organization has of the provider. What is lent to other organizations as
    /// well stays.
    #[arg(long, value_name = "SLUG")]
    organization: Option<String>,
    /// Only try earlier revocations again that did not work: nothing that is in use is touched.
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

pub(super) async fn run(arguments: Arguments, settings: Settings) -> anyhow::Result<()> {
    let (store, _) = open_to_write(&settings).await?;
    let accounts = Accounts::new(store.clone(), Clock::system());
    let organization = match &arguments.organization {
        Some(slug) => Some(accounts.organization(slug).await?.id),
        None => None,
    };
    if arguments.status {
        // A look starts no plugin.
        let plugins = load_plugins(&settings.clone().without_plugins()).await?.plugins;
        let revocations = Revocations::for_command(store, plugins);
        if let Some(provider) = &arguments.provider {
            let mut known = revocations.known_providers(&settings).await?;
            known.extend(settings.default_integrations.iter().map(|listed| listed.text.clone()));
            check_provider(provider, &known)?;
        }
        revoke_report::status(&revocations.unrevoked(arguments.provider, organization).await?);
        return Ok(());
    }
    let provider = arguments.provider.as_deref().context("--provider is needed")?;
    // A plugin that does not load is passed over: the others must still be revoked.
    let loaded = load_plugins(&settings).await?;
    print_refused(&loaded.refused);
    let revocations = Revocations::for_command(store, loaded.plugins);
    check_provider(provider, &revocations.known_providers(&settings).await?)?;
    let mut plan = revocations.plan_bulk(provider, organization).await?;
    if arguments.again {
        plan = plan.only_open();
        revoke_report::plan_again(provider, &plan);
    } else {
        revoke_report::plan(provider, &plan, arguments.keep);
    }
    if arguments.dry_run || plan.is_empty() {
        return Ok(());
    }
    confirm(provider, arguments.yes)?;
    let disposition = if arguments.keep { Disposition::Keep } else { Disposition::Remove };
    let run = BulkRun::new(revocations, disposition, arguments.per_minute);
    let mut tally = Tally::of(plan.len());
    run.run(&plan, |event| tally.add(event)).await?;
    tally.print();
    tally.left_in_words(provider).map_or(Ok(()), |words| bail!("not all of it is revoked: {words}"))
}
