//! `jackfield user`, `org`, `member` and `token`.

use clap::{ArgAction, Subcommand};

use super::lines::line;
use jackfield_config::{Settings, clock::Clock};
use jackfield_services::accounts::{Accounts, NewUserIn, Role, Scope};
use jackfield_services::open::open_to_write;

#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Create a user.
    Create {
        /// E-mail address to log in with.
        email: String,
        /// The name that people see; by default the address.
        #[arg(long)]
        name: Option<String>,
        /// May do anything in every organization.
        #[arg(long)]
        superuser: bool,
        /// Read the password from standard input, up to the end of the first line.
        #[arg(long, required = true)]
        password_stdin: bool,
    },
}

#[derive(Subcommand)]
pub(super) enum OrgCommand {
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
}

#[derive(Subcommand)]
pub(super) enum MemberCommand {
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
}

#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Create a token and print it. It is not shown again.
    Create {
        /// Slug of the organization.
        org: String,
        /// What it is for.
        #[arg(long)]
        name: String,
        /// What it may do: org:read (providers, integrations, revocations), org:write (the audit
        /// log), org:integrations (remove integrations), integrations:token (read tokens, use the
        /// proxy). Can be repeated.
        #[arg(long = "scope", required = true, action = ArgAction::Append, num_args = 1.., value_name = "SCOPE")]
        scopes: Vec<Scope>,
    },
}

async fn accounts(settings: &Settings) -> anyhow::Result<Accounts> {
    let (store, _) = open_to_write(settings).await?;
    Ok(Accounts::new(store, Clock::system()))
}

pub(super) async fn user(command: UserCommand, settings: &Settings) -> anyhow::Result<()> {
    let UserCommand::Create { email, name, superuser, password_stdin: _ } = command;
    let password = super::password::from_stdin()?;
    let new = NewUserIn { name: name.unwrap_or_else(|| email.clone()), email, password, superuser };
    if new.has_short_password() {
        eprintln!("warning: the password is shorter than 8 characters: anybody who can reach the host can guess it");
    }
    let user = accounts(settings).await?.create_user(new).await?;
    line!("created user {}", user.email);
    Ok(())
}

pub(super) async fn org(command: OrgCommand, settings: &Settings) -> anyhow::Result<()> {
    let OrgCommand::Create { slug, name, owner } = command;
    let organization = accounts(settings).await?.create_organization(&slug, &name, owner.as_deref()).await?;
    line!("created organization {}", organization.slug);
    Ok(())
}

pub(super) async fn member(command: MemberCommand, settings: &Settings) -> anyhow::Result<()> {
    let MemberCommand::Add { org, email, role } = command;
    accounts(settings).await?.add_member(&org, &email, role).await?;
    line!("{email} is {role} of {org}");
    Ok(())
}

pub(super) async fn token(command: TokenCommand, settings: &Settings) -> anyhow::Result<()> {
    let TokenCommand::Create { org, name, scopes } = command;
    line!("{}", accounts(settings).await?.create_token(&org, &name, &scopes).await?);
    Ok(())
}
