//! The arguments of all commands, and which command runs.

use std::{
    ffi::OsString,
    io::IsTerminal,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};

#[cfg(feature = "author")]
use super::plugin_dev;
use super::{
    audit, config,
    errors::in_words,
    inbox, key,
    lines::{self, print_note},
    log_levels, member, org, plugin,
    process_end::{close, end},
    provider, reload, revoke, serve, token, user,
};
use jackfield_config::{Settings, text::escaped_lines};
use jackfield_loader::worker;
use jackfield_server::telemetry::{Format, Telemetry};
use jackfield_services::open::leave_whole;

/// What is logged by default.
const DEFAULT_LEVELS: &str = "info";

/// How long the end of a command waits for somebody to take the last lines of the log.
const LAST_LINES: Duration = Duration::from_secs(2);

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
    /// List what services have sent, and hand it on again.
    #[command(subcommand)]
    Inbox(inbox::Command),
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

/// The exit status of a panic, which was printed already.
const PANIC: u8 = 101;

/// Runs the command line of this process, and ends it.
pub fn main() -> ! {
    main_from(std::env::args_os())
}

/// Runs a command line given as words, and ends the process; the first word is the program's name.
pub fn main_from(words: impl IntoIterator<Item = OsString>) -> ! {
    let words = words.into_iter().collect();
    end(catch_unwind(AssertUnwindSafe(|| run_words(words))).unwrap_or(PANIC))
}

/// Runs a command line. Returns its exit status.
fn run_words(words: Vec<OsString>) -> u8 {
    let mut words = words.into_iter().peekable();
    let program = words.next();
    if words.peek().is_some_and(|word| word == worker::COMMAND) {
        return u8::from(worker::main(words.skip(1)) != ExitCode::SUCCESS);
    }
    let arguments = match Arguments::try_parse_from(program.into_iter().chain(words)) {
        Ok(arguments) => arguments,
        Err(usage) => return print_usage(&usage),
    };
    let telemetry = Telemetry { levels: arguments.log.clone(), format: arguments.log_format };
    for warning in log_levels::suspicious(&telemetry.levels) {
        print_note(&format!("warning: {}", escaped_lines(&warning)));
    }
    let logs = match arguments.command {
        #[cfg(feature = "author")]
        Command::Plugin(plugin::Command::Dev(_)) => {
            plugin_dev::init_telemetry(telemetry, arguments.log != DEFAULT_LEVELS)
        }
        _ => jackfield_server::telemetry::init(&telemetry),
    };
    let result = logs.map_err(anyhow::Error::from).and_then(|()| run_to_end(arguments));
    match result {
        Ok(()) if lines::are_written() => 0,
        Ok(()) => 1,
        Err(error) => {
            let label = if std::io::stderr().is_terminal() { "\u{1b}[31merror\u{1b}[0m" } else { "error" };
            print_note(&format!("{label}: {}", escaped_lines(&in_words(&error))));
            1
        }
    }
}

/// Prints help, the version, or what is wrong with the arguments. Returns the exit status.
fn print_usage(usage: &clap::Error) -> u8 {
    match lines::unless_nobody_reads(usage.print()) {
        Ok(()) => u8::try_from(usage.exit_code()).unwrap_or(1),
        Err(error) => {
            print_note(&format!("error: writing to standard output: {error}"));
            1
        }
    }
}

fn run_to_end(arguments: Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(run(arguments));
    // The runtime ends here, and with it all that writes.
    close(runtime);
    jackfield_server::telemetry::flush(LAST_LINES);
    leave_whole();
    result
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let file = &arguments.config;
    match arguments.command {
        Command::Serve(arguments) => Box::pin(serve::serve(arguments, file)).await,
        Command::Reload => reload::run(file).await,
        Command::Revoke(arguments) => Box::pin(revoke::run(arguments, settings(file)?)).await,
        Command::Migrate(arguments) => serve::migrate(arguments, settings(file)?).await,
        Command::Config(command) => Box::pin(config::run(command, file)).await,
        Command::User(command) => user::run(command, &settings(file)?).await,
        Command::Org(command) => org::run(command, &settings(file)?).await,
        Command::Member(command) => member::run(command, &settings(file)?).await,
        Command::Inbox(command) => inbox::run(command, &settings(file)?).await,
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
