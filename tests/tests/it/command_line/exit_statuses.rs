//! Every command of the command line with a name that does not exist, on a full disk, and with
//! nobody who reads: its exit status, its words, and that nothing is half done.

use std::{
    collections::BTreeSet,
    fs::File,
    os::unix::process::ExitStatusExt,
    process::{Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use jackfield_test_support::{host::Folder, postgres::databases};

use crate::app::bare;

const USER: &str = "ada@example.com";

/// A command as it is typed, without `jackfield`.
type Words = &'static [&'static str];

/// Each command that takes a name, with one that does not exist, and what it says.
const WRONG_NAMES: &[(Words, &str)] = &[
    (&["revoke", "--provider", "exampel", "--yes"], "did you mean `example`?"),
    (&["revoke", "--provider", "exampel", "--dry-run"], "did you mean `example`?"),
    (&["revoke", "--provider", "exampel", "--again", "--yes"], "did you mean `example`?"),
    (&["revoke", "--provider", "zendesk", "--yes"], "there is no provider `zendesk`"),
    (&["revoke", "--provider", "example", "--organization", "nobody", "--yes"], "no organization with the slug nobody"),
    (&["revoke", "--status", "--provider", "exampel"], "did you mean `example`?"),
    (&["revoke", "--status", "--organization", "nobody"], "no organization with the slug nobody"),
    (&["user", "password", "bob@example.com", "--password-stdin"], "no user with the e-mail address bob@example.com"),
    (&["user", "disable", "bob@example.com"], "no user with the e-mail address bob@example.com"),
    (&["user", "enable", "bob@example.com"], "no user with the e-mail address bob@example.com"),
    (&["user", "remove", "bob@example.com", "--yes"], "no user with the e-mail address bob@example.com"),
    (&["user", "remove", "bob@example.com", "--dry-run"], "no user with the e-mail address bob@example.com"),
    (&["user", "sessions", "list", "bob@example.com"], "no user with the e-mail address bob@example.com"),
    (&["user", "sessions", "end", "bob@example.com"], "no user with the e-mail address bob@example.com"),
    (&["org", "create", "other", "--name", "Other", "--owner", "bob@example.com"], "no user with the e-mail address"),
    (&["org", "rename", "nobody", "--name", "Nobody"], "no organization with the slug nobody"),
    (&["org", "remove", "nobody", "--yes"], "no organization with the slug nobody"),
    (&["org", "remove", "nobody", "--dry-run"], "no organization with the slug nobody"),
    (&["member", "add", "nobody", USER, "--role", "owner"], "no organization with the slug nobody"),
    (&["member", "add", "acme", "bob@example.com", "--role", "owner"], "no user with the e-mail address"),
    (&["member", "list", "nobody"], "no organization with the slug nobody"),
    (&["member", "role", "nobody", USER, "admin"], "no organization with the slug nobody"),
    (&["member", "role", "acme", "bob@example.com", "admin"], "bob@example.com"),
    (&["member", "remove", "nobody", USER], "no organization with the slug nobody"),
    (&["member", "remove", "acme", "bob@example.com"], "bob@example.com"),
    (&["token", "create", "nobody", "--name", "crm", "--scope", "org:read"], "no organization with the slug nobody"),
    (&["token", "create", "acme", "--name", "crm", "--scope", "org:raed"], "org:raed"),
    (&["token", "create", "acme", "--name", "crm", "--scope", "org:read", "--integration", "99"], "99"),
    (&["token", "list", "nobody"], "no organization with the slug nobody"),
    (&["token", "revoke", "nobody", "1"], "no organization with the slug nobody"),
    (&["token", "revoke", "acme", "99"], "acme has no token with the id 99"),
    (&["audit", "list", "--organization", "nobody"], "no organization with the slug nobody"),
    (&["audit", "verify", "--head", "7:00"], "7:00"),
    (&["audit", "cut", "--before", "2999-01-01", "--yes"], "--before"),
    (&["audit", "cut", "--keep", "soon", "--yes"], "--keep"),
    (&["provider", "show", "githb"], "did you mean `github`?"),
    (&["provider", "check", "githb"], "did you mean `github`?"),
    (&["plugin", "check", "nowhere.so"], "nowhere.so"),
    (&["plugin", "digest", "nowhere.so"], "nowhere.so"),
    (&["plugin", "adopt", "exampel", "example"], "has no provider `exampel`"),
    (&["plugin", "adopt", "example", "exampel"], "`exampel` is not in default-integrations"),
    (&["plugin", "sign", "nowhere.so", "--key", "nowhere.key"], "nowhere"),
    (&["plugin", "key", "nowhere/operator.key", "--no-password"], "nowhere/operator.key"),
    (&["plugin", "new", "No Name"], "No Name"),
    (&["org", "settings", "nobody"], "no organization with the slug nobody"),
    (&["inbox", "list", "nobody"], "no organization with the slug nobody"),
    (&["inbox", "replay", "nobody", "--since", "2h"], "no organization with the slug nobody"),
    (&["reload"], "no host answers at"),
];

/// Commands that print something, in an order in which each works.
const PRINTING: &[Words] = &[
    &["migrate"],
    &["config", "check"],
    &["user", "list"],
    &["user", "sessions", "list", USER],
    &["user", "sessions", "end", USER],
    &["user", "disable", USER],
    &["user", "enable", USER],
    &["user", "password", USER, "--password-stdin"],
    &["org", "list"],
    &["org", "list", "--json"],
    &["org", "rename", "acme", "--name", "Acme Inc"],
    &["org", "settings", "acme", "--accent-color", "#0050b3"],
    &["inbox", "list", "acme"],
    &["inbox", "replay", "acme", "--since", "2h"],
    &["member", "list", "acme"],
    &["member", "role", "acme", USER, "owner"],
    &["member", "add", "acme", USER, "--role", "owner"],
    &["token", "list", "acme"],
    &["key", "status"],
    &["key", "check"],
    &["key", "rotate"],
    &["audit", "list"],
    &["audit", "verify"],
    &["audit", "cut", "--keep", "400d", "--yes"],
    &["revoke", "--status"],
    &["revoke", "--provider", "example", "--dry-run"],
    &["revoke", "--provider", "example", "--yes"],
    &["provider", "list"],
    &["provider", "show", "github"],
    &["provider", "check", "github"],
    &["plugin", "list"],
    &["plugin", "lock"],
    &["plugin", "digest", "plugins/libexample.so"],
    &["plugin", "check", "plugins/libexample.so"],
    &["plugin", "adopt", "example", "example"],
    &["plugin", "new", "ours"],
    &["plugin", "key", "operator.key", "--no-password"],
    &["plugin", "sign", "plugins/libexample.so", "--key", "operator.key"],
    &["org", "create", "other", "--name", "Other"],
    &["member", "remove", "acme", USER],
    &["org", "remove", "acme", "--yes"],
    &["user", "remove", USER, "--yes"],
    &["user", "create", "bob@example.com", "--password-stdin"],
    &["--help"],
    &["--version"],
    &["help", "revoke"],
    &["token", "create", "--help"],
];

/// Those of them that have nothing to print here.
const SILENT: &[Words] = &[&["user", "sessions", "list", USER], &["token", "list", "acme"], &["inbox", "list", "acme"]];

/// Commands that are tried elsewhere: they go on until somebody ends them, or print once.
const ELSEWHERE: [&str; 4] = ["serve", "plugin dev", "token create", "token revoke"];

/// A folder with a database, a plugin, a user and an organization.
fn folder(database: Option<String>) -> Result<Folder> {
    let folder = bare().plugin("example").database(database).folder_only();
    let commands = [
        (&["user", "create", USER, "--password-stdin"][..], "analytical engine"),
        (&["org", "create", "acme", "--name", "Acme", "--owner", USER], ""),
    ];
    for (arguments, input) in commands {
        let output = folder.run_with(arguments, input)?;
        ensure!(output.status.success(), "{}", stderr(&output));
    }
    Ok(folder)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn full_disk() -> Result<File> {
    File::options().write(true).open("/dev/full").context("every Linux has /dev/full")
}

/// A pipe that nobody reads.
fn closed_pipe() -> Result<std::io::PipeWriter> {
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    Ok(writer)
}

/// Runs a command with these ends of its output. Its password comes from a file.
fn run(folder: &Folder, words: Words, out: Stdio, err: Stdio) -> Result<Output> {
    let password = folder.folder().join("password");
    std::fs::write(&password, "analytical engine")?;
    let mut command = folder.command(words);
    let output = command.stdin(File::open(password)?).stdout(out).stderr(err).output()?;
    ensure!(output.status.signal().is_none(), "{words:?} was ended by a signal: {output:?}");
    ensure!(output.status.code() != Some(101) && !stderr(&output).contains("panicked"), "{words:?}: {output:?}");
    Ok(output)
}

/// Everything that the audit log and the lists say.
fn state(folder: &Folder) -> Result<String> {
    let lists: [Words; 5] = [
        &["user", "list"],
        &["org", "list"],
        &["member", "list", "acme"],
        &["token", "list", "acme"],
        &["audit", "list"],
    ];
    lists.iter().map(|words| Ok(String::from_utf8(folder.run(words)?.stdout)?)).collect()
}

#[test]
fn a_name_that_does_not_exist_is_an_error_and_changes_nothing() -> Result<()> {
    for database in databases() {
        let folder = folder(database)?;
        let before = state(&folder)?;
        for (words, expected) in WRONG_NAMES {
            let output = run(&folder, words, Stdio::piped(), Stdio::piped())?;
            let said = stderr(&output);
            assert!(matches!(output.status.code(), Some(1 | 2)), "{words:?}: {:?} {said}", output.status);
            assert!(said.contains("error: ") || said.contains("refused: "), "{words:?}: {said}");
            assert!(said.contains(expected), "{words:?}: {said}");
        }
        assert_eq!(state(&folder)?, before);
    }
    Ok(())
}

#[test]
fn on_a_full_disk_each_command_does_its_work_and_says_that_nobody_can_read_of_it() -> Result<()> {
    let folder = folder(None)?;
    for words in PRINTING.iter().filter(|words| !SILENT.contains(words)) {
        let output = run(&folder, words, full_disk()?.into(), Stdio::piped())?;
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        assert!(said.contains("No space left on device"), "{words:?}: {said}");
    }
    let users = folder.run(&["user", "list"])?;
    assert!(String::from_utf8(users.stdout)?.starts_with("bob@example.com"), "all of them have done their work");
    Ok(())
}

#[test]
fn where_nobody_reads_each_command_does_its_work_and_ends_well() -> Result<()> {
    let folder = folder(None)?;
    for words in PRINTING {
        let output = run(&folder, words, closed_pipe()?.into(), Stdio::piped())?;
        assert!(output.status.success(), "{words:?}: {}", stderr(&output));
    }
    Ok(())
}

#[test]
fn without_standard_error_the_exit_status_is_the_same() -> Result<()> {
    let folder = folder(None)?;
    for (words, _) in WRONG_NAMES {
        for err in [Stdio::from(full_disk()?), closed_pipe()?.into()] {
            let output = run(&folder, words, Stdio::piped(), err)?;
            assert!(matches!(output.status.code(), Some(1 | 2)), "{words:?}: {:?}", output.status);
        }
    }
    for words in PRINTING {
        let output = run(&folder, words, Stdio::piped(), closed_pipe()?.into())?;
        assert!(output.status.success(), "{words:?}: {output:?}");
    }
    Ok(())
}

#[test]
fn a_token_that_cannot_be_printed_is_an_error_whose_mend_is_said() -> Result<()> {
    let folder = folder(None)?;
    let create: Words = &["token", "create", "acme", "--name", "crm", "--scope", "org:read"];
    let output = run(&folder, create, full_disk()?.into(), Stdio::piped())?;
    let said = stderr(&output);
    assert!(output.status.code() == Some(1) && said.contains("help: `jackfield token revoke acme 1`"), "{said}");
    let both = run(&folder, create, full_disk()?.into(), full_disk()?.into())?;
    assert_eq!(both.status.code(), Some(1));
    let revoked = run(&folder, &["token", "revoke", "acme", "1", "2"], full_disk()?.into(), Stdio::piped())?;
    assert_eq!(revoked.status.code(), Some(1), "they are revoked, and nobody can read it");
    assert!(folder.run(&["token", "list", "acme"])?.stdout.is_empty());
    Ok(())
}

#[test]
fn a_host_serves_and_ends_well_where_nobody_reads_what_it_prints() -> Result<()> {
    for out in [Stdio::from(full_disk()?), closed_pipe()?.into()] {
        let folder = folder(None)?;
        let mut host =
            folder.command(&["serve"]).env("JACKFIELD_LOG", "info").stdout(out).stderr(Stdio::piped()).spawn()?;
        let log = std::io::BufReader::new(host.stderr.take().context("stderr is piped")?);
        let mut lines = std::io::BufRead::lines(log);
        let is_up = lines.any(|line| line.is_ok_and(|line| line.contains("the address cannot be printed")));
        assert!(is_up, "it says so in its log, and serves");
        std::process::Command::new("kill").args(["-TERM", &host.id().to_string()]).status()?;
        lines.for_each(drop);
        assert_eq!(host.wait()?.code(), Some(0));
    }
    Ok(())
}

/// The commands below a command, by its help.
fn commands_below(folder: &Folder, words: &[&str]) -> Result<Vec<String>> {
    let help = folder.run(&[words, &["--help"]].concat())?;
    let help = String::from_utf8(help.stdout)?;
    let Some((_, list)) = help.split_once("Commands:\n") else { return Ok(vec![words.join(" ")]) };
    let names = list.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_whitespace().next());
    let mut all = Vec::new();
    for name in names.filter(|name| *name != "help") {
        all.extend(commands_below(folder, &[words, &[name]].concat())?);
    }
    Ok(all)
}

#[test]
fn no_command_is_left_out_here() -> Result<()> {
    let folder = bare().folder_only();
    let tried: BTreeSet<String> = PRINTING.iter().map(|words| words.join(" ")).collect();
    for command in commands_below(&folder, &[])? {
        let is_tried = tried.iter().any(|words| words.starts_with(&command));
        assert!(is_tried || ELSEWHERE.contains(&command.as_str()) || command == "reload", "{command} is not tried");
    }
    Ok(())
}
