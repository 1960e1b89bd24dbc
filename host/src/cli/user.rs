//! `jackfield user`: people who can log in.

use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};

use super::{
    confirm::confirm,
    errors::print_refused,
    lines::{line, plain_json, print_note, word},
};
use jackfield_config::{Settings, clock::Clock};
use jackfield_services::{
    Store,
    accounts::{Accounts, NewUserIn, People, PersonOut, UserContents},
    open::{load_plugins, open_to_write},
    revocations::{RevocationId, RevocationOutcome, Revocations},
    session::{SessionOut, sessions_of},
};

#[derive(Subcommand)]
pub(super) enum Command {
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
    /// List the users, with their organizations and the number of their sessions.
    List {
        /// Print one JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Give a user another password. Their sessions end.
    Password {
        /// E-mail address of the user.
        email: String,
        /// Read the password from standard input, up to the end of the first line.
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Keep a user from logging in. Their sessions and setups end; all else stays.
    Disable {
        /// E-mail address of the user.
        email: String,
    },
    /// Let a disabled user log in again.
    Enable {
        /// E-mail address of the user.
        email: String,
    },
    /// Remove a user. Their sessions end. Tokens of their accounts at services are revoked, unless
    /// another user has proved the same account.
    Remove {
        /// E-mail address of the user.
        email: String,
        /// Say what would be removed, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Do not ask for confirmation.
        #[arg(long)]
        yes: bool,
    },
    /// List and end the sessions of a user.
    #[command(subcommand)]
    Sessions(SessionsCommand),
}

#[derive(Subcommand)]
pub(super) enum SessionsCommand {
    /// List the sessions of a user: since when, from where, and until when.
    List {
        /// E-mail address of the user.
        email: String,
        /// Print one JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// End all sessions of a user, and the setups in them.
    End {
        /// E-mail address of the user.
        email: String,
    },
}

pub(super) async fn run(command: Command, settings: &Settings) -> anyhow::Result<()> {
    let (store, _) = open_to_write(settings).await?;
    let people = People::new(store.clone());
    match command {
        Command::Create { email, name, superuser, password_stdin: _ } => {
            let password = password()?;
            let new = NewUserIn { name: name.unwrap_or_else(|| email.clone()), email, password, superuser };
            let user = Accounts::new(store, Clock::system()).create_user(new).await?;
            line!("created user {}", user.email);
        }
        Command::List { json } => {
            for person in people.list().await? {
                line!("{}", if json { plain_json(&serde_json::to_string(&person)?) } else { line(&person) });
            }
        }
        Command::Password { email, password_stdin: _ } => {
            let ended = people.set_password(&email, password()?).await?;
            line!("changed the password of {}; sessions ended: {ended}", word(&email));
        }
        Command::Disable { email } => match people.disable(&email).await? {
            Some(ended) => line!("disabled {}; sessions ended: {ended}", word(&email)),
            None => line!("{} is disabled already", word(&email)),
        },
        Command::Enable { email } => {
            let was_disabled = people.enable(&email).await?;
            line!("{} {}", word(&email), if was_disabled { "can log in again" } else { "is not disabled" });
        }
        Command::Remove { email, dry_run, yes } => {
            print_contents(&email, &people.contents(&email).await?);
            if !dry_run {
                confirm(&email, yes)?;
                let revocations = people.remove(&email).await?;
                line!("removed {}", word(&email));
                revoke(settings, store, revocations).await?;
            }
        }
        Command::Sessions(SessionsCommand::List { email, json }) => {
            let user = people.find(&email).await?.id;
            for session in sessions_of(&store, user).await? {
                line!("{}", if json { plain_json(&serde_json::to_string(&session)?) } else { session_line(&session) });
            }
        }
        Command::Sessions(SessionsCommand::End { email }) => {
            let ended = people.end_sessions(&email).await?;
            line!("ended the sessions of {}: {ended}", word(&email));
        }
    }
    Ok(())
}

fn password() -> anyhow::Result<SecretString> {
    let password = super::password::from_stdin()?;
    // That none was given is an error, and is said where it is checked.
    if !password.expose_secret().is_empty() && NewUserIn::is_short(password.expose_secret()) {
        print_note("warning: the password is shorter than 8 characters: anybody who can reach the host can guess it");
    }
    Ok(password)
}

fn line(person: &PersonOut) -> String {
    let PersonOut { email, name, superuser, disabled_at, sessions, organizations, .. } = person;
    let roles: Vec<String> = organizations.iter().map(|of| format!("{}:{}", of.organization, of.role)).collect();
    let roles = if roles.is_empty() { "-".to_owned() } else { roles.join(",") };
    let superuser = if *superuser { " superuser" } else { "" };
    let state = if disabled_at.is_some() { " disabled" } else { "" };
    format!("{} {} {roles} sessions {sessions}{superuser}{state}", word(email), word(name))
}

fn session_line(session: &SessionOut) -> String {
    let SessionOut { since, expires_at, address, user_agent } = session;
    let [since, until] = [since, expires_at].map(|at| at.as_deref().unwrap_or("-"));
    let agent = super::lines::word_or_none(user_agent.as_deref());
    format!("since {since} until {until} from {} by {agent}", address.as_deref().unwrap_or("-"))
}

fn print_contents(email: &str, UserContents { organizations, without_owner, identities }: &UserContents) {
    line!("user           {}", word(email));
    line!("organizations  {}", words_or_none(organizations));
    if !without_owner.is_empty() {
        line!("  no owner     {}: nobody else is their owner", words_or_none(without_owner));
    }
    line!("accounts       {}", words_or_none(identities));
    if !identities.is_empty() {
        line!("revoked        the tokens of these accounts, unless another user has proved the same");
    }
}

fn words_or_none(list: &[String]) -> String {
    if list.is_empty() { "none".to_owned() } else { list.iter().map(|text| word(text)).collect::<Vec<_>>().join(", ") }
}

/// Asks the providers at once. What they do not answer is left to a running host.
async fn revoke(settings: &Settings, store: Store, revocations: Vec<RevocationId>) -> anyhow::Result<()> {
    if revocations.is_empty() {
        return Ok(());
    }
    let loaded = load_plugins(settings).await?;
    print_refused(&loaded.refused);
    let service = Revocations::for_command(store, loaded.plugins);
    let mut left = 0;
    for id in revocations {
        if !matches!(service.revoke_now(id).await, Some(RevocationOutcome::Done { .. })) {
            left += 1;
        }
    }
    if left > 0 {
        line!("note: {left} revocations are not done: a running host goes on trying, see `jackfield revoke --status`");
    }
    Ok(())
}
