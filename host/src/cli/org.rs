//! `jackfield org`: organizations.

use anyhow::bail;
use clap::Subcommand;

use super::{
    confirm::confirm,
    errors::print_refused,
    lines::{line, plain_json, word},
    org_settings::{self, OrgSettings},
    revoke_report::{self, Tally},
};
use jackfield_config::{Settings, clock::Clock};
use jackfield_services::{
    Store,
    accounts::{Accounts, OrganizationContents, OrganizationOut, Organizations},
    open::{load_plugins, open_to_write},
    revocations::{BulkPlan, BulkRun, Disposition, Revocations},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create an organization.
    Create {
        /// Its name in URLs: a-z, 0-9, - and _.
        slug: String,
        /// The name that people see.
        #[arg(long)]
        name: String,
        /// E-mail address of its first owner.
        #[arg(long, value_name = "EMAIL")]
        owner: Option<String>,
    },
    /// List the organizations, with the numbers of their members, tokens and integrations.
    List {
        /// Print one JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Give an organization another name, or another slug: then its URLs change, and `[features]`
    /// must name the new one.
    Rename {
        /// Its slug.
        slug: String,
        /// The new name that people see.
        #[arg(long)]
        name: Option<String>,
        /// The new slug.
        #[arg(long = "slug", value_name = "SLUG")]
        new_slug: Option<String>,
    },
    /// Show or change what an organization shows where other products embed its pages, and which
    /// origins may.
    Settings(OrgSettings),
    /// Remove an organization with its members, API tokens and integrations, and revoke the
    /// integrations' tokens at their providers.
    Remove {
        /// Its slug.
        slug: String,
        /// Say what would be removed and revoked, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Do not ask for confirmation.
        #[arg(long)]
        yes: bool,
        /// How many integrations to revoke per minute: providers have their limits.
        #[arg(long, value_name = "N", default_value = "60", value_parser = clap::value_parser!(u32).range(1..=6000))]
        per_minute: u32,
    },
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<()> {
    let (store, _) = open_to_write(settings).await?;
    match command {
        Command::Create { slug, name, owner } => {
            let accounts = Accounts::new(store, Clock::system());
            let organization = accounts.create_organization(&slug, &name, owner.as_deref()).await?;
            line!("created organization {}", organization.slug);
        }
        Command::List { json } => {
            for organization in Organizations::new(store).list().await? {
                let line = || line(&organization);
                line!("{}", if json { plain_json(&serde_json::to_string(&organization)?) } else { line() });
            }
        }
        Command::Rename { slug, name, new_slug } => {
            let renamed = Organizations::new(store).rename(&slug, new_slug.as_deref(), name.as_deref()).await?;
            line!("renamed {slug} to {} {}", renamed.slug, word(&renamed.name));
        }
        Command::Settings(asked) => org_settings::run(asked, store).await?,
        Command::Remove { slug, dry_run, yes, per_minute } => {
            let organizations = Organizations::new(store.clone());
            let contents = organizations.contents(&slug).await?;
            let plans = plans(settings, store, &contents).await?;
            print_contents(&contents, &plans);
            if !dry_run {
                confirm(&slug, yes)?;
                remove(&organizations, &slug, &plans, per_minute).await?;
            }
        }
    }
    Ok(())
}

fn line(organization: &OrganizationOut) -> String {
    let OrganizationOut { slug, name, members, tokens, integrations } = organization;
    format!("{slug} {} members {members} tokens {tokens} integrations {integrations}", word(name))
}

/// What is revoked, by provider.
struct Plans {
    revocations: Revocations,
    of_providers: Vec<(String, BulkPlan)>,
}

async fn plans(settings: &Settings, store: Store, contents: &OrganizationContents) -> anyhow::Result<Plans> {
    let settings = settings.clone();
    let settings = if contents.providers.is_empty() { settings.without_plugins() } else { settings };
    // A plugin that does not load is passed over: the others must still be revoked.
    let loaded = load_plugins(&settings).await?;
    print_refused(&loaded.refused);
    let revocations = Revocations::for_command(store, loaded.plugins);
    let mut of_providers = Vec::new();
    for provider in &contents.providers {
        let plan = revocations.plan_bulk(provider, Some(contents.organization.id)).await?;
        of_providers.push((provider.clone(), plan));
    }
    Ok(Plans { revocations, of_providers })
}

fn print_contents(contents: &OrganizationContents, plans: &Plans) {
    line!("organization   {} {}", contents.organization.slug, word(&contents.organization.name));
    line!("members        {}", contents.members);
    line!("API tokens     {}", contents.tokens);
    line!("integrations   {}", contents.integrations);
    for (provider, plan) in &plans.of_providers {
        line!("");
        revoke_report::plan(provider, plan, false);
    }
}

/// Revokes before it removes. If that is interrupted the organization is still there, without
/// members and tokens, and running this again goes on.
async fn remove(organizations: &Organizations, slug: &str, plans: &Plans, per_minute: u32) -> anyhow::Result<()> {
    organizations.close(slug).await?;
    let mut left = Vec::new();
    for (provider, plan) in &plans.of_providers {
        let run = BulkRun::new(plans.revocations.clone(), Disposition::Remove, per_minute);
        let mut tally = Tally::of(plan.len());
        run.run(plan, |event| tally.add(event)).await?;
        tally.print();
        left.extend(tally.left_in_words(provider));
    }
    organizations.remove(slug).await?;
    line!("removed organization {slug}");
    if left.is_empty() {
        return Ok(());
    }
    bail!("the organization is removed, but not all of it is revoked: {}", left.join("; "))
}
