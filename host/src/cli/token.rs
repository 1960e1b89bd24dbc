//! `jackfield token`: bearer tokens for programs.

use anyhow::Context;
use clap::{ArgAction, Subcommand};
use time::OffsetDateTime;

use super::{
    errors::id,
    expiry::Expiry,
    lines::{line, plain_json, print_once, word, word_or_none},
};
use jackfield_config::{Settings, clock::Clock};
use jackfield_services::{
    accounts::{Accounts, Administrator, ApiTokenId, ApiTokenOut, NewTokenIn, Scope},
    integrations::IntegrationId,
    open::open_to_write,
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create a token and print it. It is not shown again.
    Create {
        /// Slug of the organization.
        org: String,
        /// What it is for.
        #[arg(long)]
        name: String,
        /// What it may do: org:read (providers, integrations, revocations), org:write (the audit
        /// log), org:integrations (remove integrations), integrations:connect (make connect
        /// sessions), integrations:events (read events), integrations:proxy (call services through
        /// the host), integrations:token (read the services' own tokens, and call). Can be
        /// repeated.
        #[arg(long = "scope", required = true, action = ArgAction::Append, num_args = 1.., value_name = "SCOPE")]
        scopes: Vec<Scope>,
        /// When it ends: after a time like 90d, 12h or 30m, or at a date like 2027-01-31. By
        /// default it does not end by itself.
        #[arg(long, value_name = "TIME", value_parser = Expiry::parse)]
        expires: Option<Expiry>,
        /// Limits it to these integrations, by their ids. By default it opens all of the
        /// organization, also those that are connected later. Can be repeated.
        #[arg(long = "integration", action = ArgAction::Append, num_args = 1.., value_name = "ID", value_parser = id::<IntegrationId>)]
        integrations: Vec<IntegrationId>,
    },
    /// List the tokens of an organization: id, first characters, name, scopes, integrations, who
    /// made it, when it ends and when it was last used.
    List {
        /// Slug of the organization.
        org: String,
        /// Print one JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Revoke tokens: from now on they open nothing.
    Revoke {
        /// Slug of the organization.
        org: String,
        /// Ids of the tokens, from the list.
        #[arg(required = true, value_name = "ID", value_parser = id::<ApiTokenId>)]
        ids: Vec<ApiTokenId>,
    },
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<()> {
    let (store, _) = open_to_write(settings).await?;
    let accounts = Accounts::new(store, Clock::system());
    match command {
        Command::Create { org, name, scopes, expires, integrations } => {
            let expires_at = expires.map(|expiry| expiry.from(OffsetDateTime::now_utc()));
            let integrations = Some(integrations).filter(|ids| !ids.is_empty());
            create(&accounts, &org, NewTokenIn { name, scopes, integrations, expires_at }).await
        }
        Command::List { org, json } => list(&accounts, &org, json).await,
        Command::Revoke { org, ids } => revoke(&accounts, &org, ids).await,
    }
}

async fn create(accounts: &Accounts, org: &str, new: NewTokenIn) -> anyhow::Result<()> {
    let organization = accounts.organization(org).await?.id;
    let (text, token) = accounts.tokens().create(organization, new, &Administrator::Operator).await?;
    print_once(&text).with_context(|| {
        let id = token.id;
        format!("nobody has read the new token\n  help: `jackfield token revoke {org} {id}`, and create another")
    })
}

async fn list(accounts: &Accounts, org: &str, json: bool) -> anyhow::Result<()> {
    let organization = accounts.organization(org).await?.id;
    for token in accounts.tokens().list(organization).await? {
        let token = ApiTokenOut::from(token);
        line!("{}", if json { plain_json(&serde_json::to_string(&token)?) } else { line(&token) });
    }
    Ok(())
}

fn line(token: &ApiTokenOut) -> String {
    let ApiTokenOut { id, name, hint, scopes, integrations, created_by, expires_at, last_used_at, .. } = token;
    let integrations = integrations.as_ref().map_or_else(|| "all".to_owned(), |ids| ids.join(","));
    let hint = hint.as_ref().map_or_else(|| "-".to_owned(), |hint| format!("{hint}…"));
    format!(
        "{id:>6} {hint:<10} {} scopes {} integrations {integrations} by {} ends {} used {}",
        word(name),
        scopes.join(","),
        word_or_none(created_by.as_deref()),
        expires_at.as_deref().unwrap_or("never"),
        last_used_at.as_deref().unwrap_or("never"),
    )
}

/// Goes on after one that is not there: the others must not stay valid because of it.
async fn revoke(accounts: &Accounts, org: &str, ids: Vec<ApiTokenId>) -> anyhow::Result<()> {
    let organization = accounts.organization(org).await?.id;
    let mut missing = Vec::new();
    for id in ids {
        match accounts.tokens().revoke(organization, id, &Administrator::Operator).await? {
            Some(token) => line!("revoked token {id} {}", word(&token.name)),
            None => missing.push(id.to_string()),
        }
    }
    let ids = if missing.len() == 1 { "token with the id" } else { "tokens with the ids" };
    anyhow::ensure!(
        missing.is_empty(),
        "{org} has no {ids} {}\n  help: `jackfield token list {org}` shows its tokens",
        missing.join(", ")
    );
    Ok(())
}
