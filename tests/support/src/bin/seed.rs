//! Fills a database with integrations, to see what growth costs.

use std::{io::Write, path::PathBuf, time::Instant};

use anyhow::Context;
use clap::Parser;
use jackfield_config::SecretKeys;
use jackfield_store::{
    Sealer, Store,
    seeding::{Seed, seed},
};

/// Adds integrations to a database, with what setups leave beside them: links, grants, identities,
/// refreshes, revocations, webhooks, sessions and rows of the audit log. The rows are sealed as a
/// host seals them, and written directly, in large transactions. No host may run meanwhile on
/// SQLite.
#[derive(Parser)]
struct Arguments {
    /// `sqlite://PATH` or `postgres://…`. It is migrated.
    #[arg(long)]
    database: String,
    /// The host's file with the secret key.
    #[arg(long)]
    secret_key: PathBuf,
    /// How many integrations.
    #[arg(long, default_value_t = 2_000_000)]
    integrations: i64,
    /// How many new organizations share them.
    #[arg(long, default_value_t = 1000)]
    organizations: i64,
    /// The slug of an organization that is there and has the first integrations.
    #[arg(long, requires = "own")]
    organization: Option<String>,
    /// How many of the integrations it has.
    #[arg(long)]
    own: Option<i64>,
    /// How many rows the audit log gets; by default one for each integration.
    #[arg(long)]
    audit_rows: Option<i64>,
    /// The provider of the integrations.
    #[arg(long, default_value = "slack")]
    provider: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { database, secret_key, integrations, organizations, organization, own, audit_rows, provider } =
        Arguments::parse();
    let text = std::fs::read_to_string(&secret_key).with_context(|| secret_key.display().to_string())?;
    let keys = SecretKeys::new(text.lines().map(str::trim).filter(|line| !line.is_empty()));
    let store = Store::open(&database, Sealer::new(keys)).await?;
    store.migrate().await?;
    store.admit().await?;
    let wanted = Seed {
        integrations,
        organizations,
        own: organization.zip(own),
        audit_rows: audit_rows.unwrap_or(integrations),
        provider,
    };
    let (began, mut out) = (Instant::now(), std::io::stdout());
    seed(&store, &wanted, |count| {
        if count % 100_000 == 0 {
            let _ = writeln!(out, "{count} integrations after {} s", began.elapsed().as_secs());
        }
    })
    .await?;
    println!("seeded after {} s", began.elapsed().as_secs());
    Ok(())
}
