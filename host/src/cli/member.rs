//! `jackfield member`: who belongs to an organization.

use clap::Subcommand;

use super::lines::{line, plain_json, word};
use jackfield_config::{Settings, clock::Clock};
use jackfield_services::{
    accounts::{Accounts, MemberOut, Members, Role},
    open::open_to_write,
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Add a user to an organization, or give them another role.
    Add {
        /// Slug of the organization.
        org: String,
        /// E-mail address of the user.
        email: String,
        /// member, admin, manager or owner.
        #[arg(long)]
        role: Role,
    },
    /// List the members of an organization.
    List {
        /// Slug of the organization.
        org: String,
        /// Print one JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Give a member another role.
    Role {
        /// Slug of the organization.
        org: String,
        /// E-mail address of the member.
        email: String,
        /// member, admin, manager or owner.
        role: Role,
    },
    /// Remove a member: they see nothing of the organization any more. The user stays, and so do
    /// the tokens that they have made.
    Remove {
        /// Slug of the organization.
        org: String,
        /// E-mail address of the member.
        email: String,
    },
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<()> {
    let (store, _) = open_to_write(settings).await?;
    let members = Members::new(store.clone());
    match command {
        Command::Add { org, email, role } => {
            Accounts::new(store, Clock::system()).add_member(&org, &email, role).await?;
            line!("{} is {role} of {org}", word(&email));
            note_owner(&org, has_owner(&members, &org).await?);
        }
        Command::List { org, json } => {
            for member in members.list(&org).await? {
                line!("{}", if json { plain_json(&serde_json::to_string(&member)?) } else { line(&member) });
            }
        }
        Command::Role { org, email, role } => {
            members.set_role(&org, &email, role).await?;
            line!("{} is {role} of {org}", word(&email));
            note_owner(&org, has_owner(&members, &org).await?);
        }
        Command::Remove { org, email } => {
            let left = members.remove(&org, &email).await?;
            line!("removed {} from {org}", word(&email));
            note_tokens(&org, left.tokens);
            note_owner(&org, left.owners > 0);
        }
    }
    Ok(())
}

fn line(member: &MemberOut) -> String {
    let MemberOut { email, name, role, disabled_at } = member;
    let state = if disabled_at.is_some() { " disabled" } else { "" };
    format!("{role:<8} {} {}{state}", word(email), word(name))
}

fn note_tokens(org: &str, tokens: i64) {
    if tokens > 0 {
        line!("note: {tokens} tokens that they have made go on working: `jackfield token list {org}`");
    }
}

async fn has_owner(members: &Members, org: &str) -> anyhow::Result<bool> {
    let owner = Role::Owner.to_string();
    Ok(members.list(org).await?.iter().any(|member| member.role == owner))
}

fn note_owner(org: &str, has_owner: bool) {
    if !has_owner {
        line!("note: {org} has no owner now: `jackfield member add {org} EMAIL --role owner`");
    }
}
