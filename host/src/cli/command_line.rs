//! The arguments of all commands, and which command runs.

use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

#[cfg(feature = "author")]
use super::plugin_dev;
use super::{audit, config, key, lines, member, org, plugin, provider, reload, revoke, serve, token, user};
use jackfield_config::{Settings, text::escaped_lines};
use jackfield_loader::worker;
use jackfield_server::telemetry::{Format, Telemetry};
use jackfield_services::open::leave_whole;

/// What is logged by default.
const DEFAULT_LEVELS: &str = "info";

/// A self-hosted integration host that loads provider plugins.
#[derive(Parser)]
#[command(name = "jackfield", version)]
struct Arguments {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", default_value = "config/jackfield.toml")]
    config: PathBuf,
    /// What to log: a level, or levels by module like `info,jackfield=debug`.
    #[arg(long, global = true, value_name = "LEVELS", env = "JACKFIELD_LOG", default_value = DEFAULT_LEVELS)]
    log: String,
    /// How to write the log.
    #[arg(long, global = true, value_name = "FORMAT", env = "JACKFIELD_LOG_FORMAT", default_value = "text")]
    log_format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Migrate the database and serve until SIGTERM or SIGINT.
    Serve(serve::Arguments),
    /// Make the running host reload its configuration.
    Reload,
    /// Remove all integrations of a provider and revoke their tokens, as after a leak.
    Revoke(revoke::Arguments),
    /// Bring the database up to date.
    Migrate(serve::Arguments),
    /// Check the configuration file.
    #[command(subcommand)]
    Config(config::Command),
    /// Create, list, disable and remove users, and end their sessions.
    #[command(subcommand)]
    User(user::Command),
    /// Create, list, rename and remove organizations.
    #[command(subcommand)]
    Org(org::Command),
    /// List the members of an organization, add and remove them, and change their roles.
    #[command(subcommand)]
    Member(member::Command),
    /// Create, list and revoke API tokens for programs.
    #[command(subcommand)]
    Token(token::Command),
    /// Rotate and check the keys that secrets are encrypted with.
    #[command(subcommand)]
    Key(key::Command),
    /// Print the audit log, and check that nobody changed it.
    #[command(subcommand)]
    Audit(audit::Command),
    /// List, show and check providers that need no plugin.
    #[command(subcommand)]
    Provider(provider::Command),
    /// List and lock provider plugins; create, check and sign them.
    #[command(subcommand)]
    Plugin(plugin::Command),
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    main_from(std::env::args_os())
}

/// Runs a command line given as words; the first is the program's name.
pub fn main_from(words: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let mut words = words.into_iter().peekable();
    let program = words.next();
    if words.peek().is_some_and(|word| word == worker::COMMAND) {
        return worker::main(words.skip(1));
    }
    let arguments = Arguments::parse_from(program.into_iter().chain(words));
    let telemetry = Telemetry { levels: arguments.log.clone(), format: arguments.log_format };
    let logs = match arguments.command {
        #[cfg(feature = "author")]
        Command::Plugin(plugin::Command::Dev(_)) => {
            plugin_dev::init_telemetry(telemetry, arguments.log != DEFAULT_LEVELS)
        }
        _ => jackfield_server::telemetry::init(&telemetry),
    };
    if let Err(error) = logs {
        return failed(&error.into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    // The runtime ends here, and with it all that writes.
    let result = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(run(arguments)));
    leave_whole();
    match result {
        Ok(()) if lines::are_written() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let label = if std::io::stderr().is_terminal() { "\u{1b}[31merror\u{1b}[0m" } else { "error" };
    eprintln!("{label}: {}", escaped_lines(&format!("{error:#}")));
    ExitCode::FAILURE
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let file = &arguments.config;
    match arguments.command {
        Command::Serve(arguments) => serve::serve(arguments, file).await,
        Command::Reload => reload::run(file).await,
        Command::Revoke(arguments) => revoke::run(arguments, settings(file)?).await,
        Command::Migrate(arguments) => serve::migrate(arguments, settings(file)?).await,
        Command::Config(command) => config::run(command, file).await,
        Command::User(command) => user::run(command, &settings(file)?).await,
        Command::Org(command) => org::run(command, &settings(file)?).await,
        Command::Member(command) => member::run(command, &settings(file)?).await,
        Command::Token(command) => token::run(command, &settings(file)?).await,
        Command::Key(command) => key::run(command, settings(file)?).await,
        Command::Audit(command) => audit::run(command, &settings(file)?).await,
        Command::Provider(command) => provider::run(command, file).await,
        Command::Plugin(command) => plugin::run(command, file).await,
    }
}

fn settings(file: &std::path::Path) -> anyhow::Result<Settings> {
    Ok(jackfield_config::load(file)?)
}
