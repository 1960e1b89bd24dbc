//! Only a checked library is loaded: where its file is, who signed it, what the operator accepted.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Context, Result, ensure};
use insta::assert_snapshot;
use jackfield_test_support::{
    host::{Folder, built_library, write_library},
    http_client::HttpClient,
};
use reqwest::Method;
use tempfile::TempDir;

use crate::app::{PASSWORD, TestApp, bare, leaving_a_mark, log_line, redacted, redacted_with};

/// A host's folder with one good plugin, which writes a file when any of it runs.
struct ProvenanceApp {
    folder: Folder,
    marks: TempDir,
}

impl ProvenanceApp {
    fn new() -> Result<Self> {
        Self::listing("leaves_a_mark")
    }

    fn listing(entry: &str) -> Result<Self> {
        let marks = tempfile::tempdir()?;
        let host = bare().on_disk("leaves_a_mark").listed(entry);
        Ok(Self { folder: leaving_a_mark(host, &marks.path().join("mark")).folder_only(), marks })
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.folder().join(path)
    }

    fn library(&self) -> PathBuf {
        self.at("plugins/libleaves_a_mark.so")
    }

    /// Adds lines to the end of the configuration.
    fn configure(&self, toml: &str) -> Result<()> {
        let file = self.at("jackfield.toml");
        Ok(fs::write(&file, format!("{}\n{toml}\n", fs::read_to_string(&file)?))?)
    }

    /// Whether a command succeeded, and what it printed.
    fn run(&self, command: &str) -> Result<(bool, String)> {
        self.run_with(command, "")
    }

    fn run_with(&self, command: &str, input: &str) -> Result<(bool, String)> {
        let output = self.folder.run_with(&command.split(' ').collect::<Vec<_>>(), input)?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let real = fs::canonicalize(self.folder.folder())?.display().to_string();
        let said = said.replace(&real, "FOLDER").replace(&self.folder.folder().display().to_string(), "FOLDER");
        Ok((output.status.success(), said))
    }

    /// Runs a command that succeeds, and returns what it printed.
    fn good(&self, command: &str) -> Result<String> {
        let (is_good, said) = self.run(command)?;
        ensure!(is_good, "{command}: {said}");
        Ok(said)
    }

    /// What `config check` prints about a library that is refused before any of it runs.
    fn refused(&self) -> Result<String> {
        let (is_good, said) = self.run("config check")?;
        ensure!(!is_good, "it is accepted: {said}");
        ensure!(!self.has_run()?, "some of it has run: {said}");
        Ok(said.split_once('\n').map_or(said.as_str(), |(_, rest)| rest).trim_end().to_owned())
    }

    fn assert_accepted(&self) -> Result<()> {
        self.good("config check")?;
        ensure!(self.has_run()?, "an accepted library writes its file: the test can fail");
        Ok(())
    }

    /// Whether any of it has run since the last call.
    fn has_run(&self) -> Result<bool> {
        let mark = self.marks.path().join("mark");
        let has_run = mark.exists();
        if has_run {
            fs::remove_file(mark)?;
        }
        Ok(has_run)
    }

    /// Makes a pair of keys in the folder, and returns its id.
    fn key(&self, name: &str) -> Result<String> {
        word_after(&self.good(&format!("plugin key {name} --no-password"))?, "key ")
    }

    /// Makes a pair of keys, demands signatures by it, and returns its id.
    fn trusted_key(&self) -> Result<String> {
        self.configure("[plugins]\ntrusted-keys = [{ file = \"operator.key.pub\" }]")?;
        self.key("operator.key")
    }

    fn sign(&self, key: &str) -> Result<String> {
        self.good(&format!("plugin sign plugins/libleaves_a_mark.so --key {key}"))
    }
}

/// The word after a label at the beginning of a line.
fn word_after(said: &str, label: &str) -> Result<String> {
    let mut lines = said.lines().filter_map(|line| line.trim_start().strip_prefix(label));
    Ok(lines.next().with_context(|| format!("{label} in {said}"))?.trim().to_owned())
}

fn change_mode(path: &Path, mode: u32) -> Result<()> {
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

/// Security checklist, point 53.
#[test]
fn a_library_that_others_can_write_or_replace_is_refused_until_the_help_is_followed() -> Result<()> {
    let library = "plugins/libleaves_a_mark.so";
    let mut refusals = Vec::new();
    for (place, mode) in [(library, 0o664), (library, 0o646), ("plugins", 0o775), ("plugins", 0o1777), (".", 0o777)] {
        let app = ProvenanceApp::new()?;
        change_mode(&app.at(place), mode)?;
        let said = app.refused()?;
        let help = word_after(&said, "help: ")?.replace("FOLDER", &app.folder.folder().display().to_string());
        refusals.push(said);
        // No command helps against a folder that everybody may write.
        if mode & 0o1000 != 0 {
            continue;
        }
        let words: Vec<&str> = help.split(' ').collect();
        assert_eq!(words[0], "chmod", "{help}");
        assert!(Command::new(words[0]).args(&words[1..]).current_dir(app.folder.folder()).status()?.success());
        app.assert_accepted()?;
    }
    assert_snapshot!(refusals.join("\n"), @"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: others can write it: found the mode 0664, wanted 0644
      help: chmod go-w plugins/libleaves_a_mark.so
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: others can write it: found the mode 0646, wanted 0644
      help: chmod go-w plugins/libleaves_a_mark.so
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: others can write its folder FOLDER/plugins: found the mode 0775, wanted 0755
      help: chmod go-w FOLDER/plugins
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: others can write its folder FOLDER/plugins: found the mode 1777, wanted 1755
      help: put libleaves_a_mark.so into a folder that only root and the host's user can write
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: others can write its folder FOLDER: found the mode 0777, wanted 0755
      help: chmod go-w FOLDER
    ");
    Ok(())
}

/// Security checklist, point 53.
#[test]
fn a_library_or_folder_of_another_user_is_refused() -> Result<()> {
    // Only root can change the owner of a file. Unit tests go through all owners.
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(());
    }
    let mut refusals = Vec::new();
    for place in ["plugins/libleaves_a_mark.so", "plugins"] {
        let app = ProvenanceApp::new()?;
        chown(app.at(place), Some(4321), None)?;
        refusals.push(app.refused()?);
        chown(app.at(place), Some(0), None)?;
        app.assert_accepted()?;
    }
    assert_snapshot!(refusals.join("\n"), @"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: somebody else owns it: found the user 4321, wanted 0, root
      help: chown root plugins/libleaves_a_mark.so
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: somebody else owns its folder FOLDER/plugins: found the user 4321, wanted 0, root
      help: chown root FOLDER/plugins
    ");
    Ok(())
}

/// Security checklist, point 53.
#[test]
fn a_library_that_is_a_symbolic_link_or_no_file_is_refused() -> Result<()> {
    let app = ProvenanceApp::new()?;
    fs::rename(app.library(), app.at("elsewhere.so"))?;
    symlink(app.at("elsewhere.so"), app.library())?;
    assert_snapshot!(app.refused()?, @r"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: found a symbolic link, wanted the file itself
      help: put the file itself in the link's place, as `install -m 644 FILE FOLDER` does
    ");
    fs::remove_file(app.library())?;
    fs::create_dir(app.library())?;
    assert_snapshot!(app.refused()?, @r"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: found a folder, wanted the file itself
      help: put a regular file there, or name another
    ");
    Ok(())
}

/// Security checklist, point 53.
#[test]
fn a_name_with_path_parts_and_a_path_that_climbs_are_refused() -> Result<()> {
    let mut refusals = Vec::new();
    for entry in [
        "..",
        ".leaves_a_mark",
        "leaves_a_mark ",
        "leaves_a_mark(NUL)",
        "plugins/../plugins/libleaves_a_mark.so",
        "plugins/libleaves_a_mark.so(NUL)",
    ] {
        let app = ProvenanceApp::listing(entry)?;
        let file = app.at("jackfield.toml");
        fs::write(&file, fs::read_to_string(&file)?.replace("(NUL)", "\\u0000"))?;
        refusals.push(app.refused()?);
    }
    assert_snapshot!(refusals.join("\n"), @r#"
    FOLDER/jackfield.toml:1: default-integrations: not a plugin's name: found "..", wanted 1 to 64 of A-Z, a-z, 0-9, `.`, `-` and `_`, and no dot in front
      help: write the file's name without `lib` and `.so`, or the path of the library
    FOLDER/jackfield.toml:1: default-integrations: not a plugin's name: found ".leaves_a_mark", wanted 1 to 64 of A-Z, a-z, 0-9, `.`, `-` and `_`, and no dot in front
      help: write the file's name without `lib` and `.so`, or the path of the library
    FOLDER/jackfield.toml:1: default-integrations: not a plugin's name: found "leaves_a_mark ", wanted 1 to 64 of A-Z, a-z, 0-9, `.`, `-` and `_`, and no dot in front
      help: write the file's name without `lib` and `.so`, or the path of the library
    FOLDER/jackfield.toml:1: default-integrations: not a plugin's name: found "leaves_a_mark\0", wanted 1 to 64 of A-Z, a-z, 0-9, `.`, `-` and `_`, and no dot in front
      help: write the file's name without `lib` and `.so`, or the path of the library
    FOLDER/jackfield.toml:1: default-integrations: "plugins/../plugins/libleaves_a_mark.so": found the part `..`, wanted a path without it
      help: write the library's path from the root, or from the folder the host is started in
    FOLDER/jackfield.toml:1: default-integrations: "plugins/libleaves_a_mark.so\0": found a NUL character, wanted a path without it
      help: write the library's path from the root, or from the folder the host is started in
    "#);
    Ok(())
}

#[test]
fn a_lock_that_others_can_write_is_refused_in_the_same_words() -> Result<()> {
    let app = ProvenanceApp::new()?;
    app.good("plugin lock")?;
    let lock = app.at("jackfield.lock");
    assert_eq!(fs::metadata(&lock)?.permissions().mode() & 0o777, 0o644, "a host of another user can read it");
    change_mode(&app.at("."), 0o777)?;
    assert_snapshot!(app.refused()?, @"
    FOLDER/jackfield.toml: FOLDER/jackfield.lock: others can write its folder FOLDER: found the mode 0777, wanted 0755
      help: chmod go-w FOLDER
    ");
    change_mode(&app.at("."), 0o755)?;
    change_mode(&lock, 0o666)?;
    assert_snapshot!(app.refused()?, @r"
    FOLDER/jackfield.toml: FOLDER/jackfield.lock: others can write it: found the mode 0666, wanted 0644
      help: chmod go-w FOLDER/jackfield.lock
    ");
    fs::rename(&lock, app.at("elsewhere.lock"))?;
    symlink(app.at("elsewhere.lock"), &lock)?;
    assert_snapshot!(app.refused()?, @"
    FOLDER/jackfield.toml: FOLDER/jackfield.lock: found a symbolic link, wanted the file itself
      help: put the file itself in the link's place, as `install -m 644 FILE FOLDER` does
    ");
    // A link that leads nowhere is not an absent lock.
    fs::remove_file(app.at("elsewhere.lock"))?;
    assert_snapshot!(app.refused()?, @"
    FOLDER/jackfield.toml: FOLDER/jackfield.lock: found a symbolic link, wanted the file itself
      help: put the file itself in the link's place, as `install -m 644 FILE FOLDER` does
    ");
    Ok(())
}

/// Security checklist, point 52.
#[test]
fn a_library_that_differs_from_the_lock_in_anything_is_refused_with_both_values() -> Result<()> {
    let app = ProvenanceApp::new()?;
    let signer = app.trusted_key()?;
    app.sign("operator.key")?;
    let said = app.good("plugin lock")?;
    assert!(!app.has_run()?, "accepting a library does not run it");
    let digest = word_after(&said, "sha256 ")?;
    assert_snapshot!(redacted(&said.replace(&signer, "[signer]")), @"
    accepted leaves_a_mark
      plugin  jackfield-fixture-leaves-a-mark 0.1.0, abi 1.0
      file    plugins/libleaves_a_mark.so
      sha256  [digest]
      signer  [signer]
    wrote FOLDER/jackfield.lock
    ");
    assert_eq!(word_after(&said, "signer ")?, signer);
    app.assert_accepted()?;

    let lock = app.at("jackfield.lock");
    let accepted = fs::read_to_string(&lock)?;
    let mut refusals = Vec::new();
    for (what, found, wanted) in [
        ("digest", digest.as_str(), "0".repeat(64).as_str()),
        ("abi", "1.0", "1.7"),
        ("version", "0.1.0", "0.2.0"),
        ("signer", &signer, "0123456789ABCDEF"),
    ] {
        let changed = accepted.replace(&format!("{what} = \"{found}\""), &format!("{what} = \"{wanted}\""));
        ensure!(changed != accepted, "{what} is in {accepted}");
        fs::write(&lock, changed)?;
        refusals.push(app.refused()?.replace(&signer, "[signer]").replace(&digest, "[real digest]"));
    }
    assert_snapshot!(refusals.join("\n"), @"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: not as it is in jackfield.lock: found the digest [real digest], wanted 0000000000000000000000000000000000000000000000000000000000000000
      help: put the accepted library back; or, if you trust the new one, accept it with `jackfield plugin lock`
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: not as it is in jackfield.lock: found the abi 1.0, wanted 1.7
      help: put the accepted library back; or, if you trust the new one, accept it with `jackfield plugin lock`
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: not as it is in jackfield.lock: found the version 0.1.0, wanted 0.2.0
      help: put the accepted library back; or, if you trust the new one, accept it with `jackfield plugin lock`
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: not as it is in jackfield.lock: found the signer [signer], wanted 0123456789ABCDEF
      help: put the accepted library back; or, if you trust the new one, accept it with `jackfield plugin lock`
    ");
    Ok(())
}

#[test]
fn a_lock_keeps_a_signer_who_is_no_longer_asked_for_and_one_without_asks_for_none() -> Result<()> {
    let app = ProvenanceApp::new()?;
    let plain = fs::read_to_string(app.at("jackfield.toml"))?;
    let signer = app.trusted_key()?;
    app.sign("operator.key")?;
    app.good("plugin lock")?;
    let demanding = fs::read_to_string(app.at("jackfield.toml"))?;
    fs::write(app.at("jackfield.toml"), &plain)?;
    assert_snapshot!(app.refused()?.replace(&signer, "[signer]"), @"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: not as it is in jackfield.lock: found the signer none, wanted [signer]
      help: put the accepted library back; or, if you trust the new one, accept it with `jackfield plugin lock`
    ");

    app.good("plugin lock")?;
    assert!(!fs::read_to_string(app.at("jackfield.lock"))?.contains("signer"), "the lock has no signer any more");
    app.assert_accepted()?;
    fs::write(app.at("jackfield.toml"), demanding)?;
    app.assert_accepted()?;
    Ok(())
}

/// Security checklist, point 52.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_starts_with_the_rest_when_one_library_differs_from_the_lock() -> Result<()> {
    let marks = tempfile::tempdir()?;
    let mark = marks.path().join("mark");
    let host = leaving_a_mark(bare().plugin("example").plugin("leaves_a_mark"), &mark).start()?;
    host.run(&["plugin", "lock"], "")?;
    let library = host.folder().join("plugins/libleaves_a_mark.so");
    write_library(&[fs::read(&library)?.as_slice(), b"changed"].concat(), &library)?;
    fs::remove_file(&mark)?;
    let listed = bare().listed("example").listed("leaves_a_mark").toml("[plugins]\non-failure = \"skip\"");
    let host = host.restart(leaving_a_mark(listed, &mark))?;
    assert_snapshot!(log_line(&host, "not as it is in jackfield.lock: found the digest ")?, @"ERROR a plugin is skipped error=[folder]/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: not as it is in jackfield.lock: found the digest [digest], wanted [digest]");
    assert!(!mark.exists(), "nothing of it has run");
    host.user("owner@example.com", PASSWORD)?;
    host.run(&["org", "create", "acme", "--name", "Acme", "--owner", "owner@example.com"], "")?;
    let owner = HttpClient::logged_in(&host.url, "owner@example.com", PASSWORD).await?;
    assert_eq!(owner.start_setup("acme", "example").await?.status, 200);
    assert_eq!(owner.visit("/extensions/leaves-a-mark/setup/").await?.status, 404);
    Ok(())
}

#[test]
fn where_signatures_are_demanded_only_what_a_trusted_key_has_signed_is_loaded() -> Result<()> {
    let app = ProvenanceApp::new()?;
    let ours = app.trusted_key()?;
    assert_snapshot!(app.refused()?, @r"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: not signed: found no plugins/libleaves_a_mark.so.minisig, wanted a signature by one of plugins.trusted-keys
      help: if you trust it, sign it: `jackfield plugin sign plugins/libleaves_a_mark.so --key FILE`
    ");
    let theirs = app.key("their.key")?;
    app.sign("their.key")?;
    let said = app.refused()?.replace(&ours, "OURS").replace(&theirs, "THEIRS");
    assert_snapshot!(said, @r"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: signed by a key that is not trusted: found THEIRS, wanted OURS
      help: add that key to plugins.trusted-keys if you trust its owner; otherwise do not load it
    ");
    assert_eq!(word_after(&app.sign("operator.key")?, "signer ")?, ours);
    app.assert_accepted()?;
    assert_eq!(word_after(&app.good("plugin list")?, "signer ")?, ours);
    assert_eq!(word_after(&app.good("plugin check plugins/libleaves_a_mark.so")?, "signer ")?, ours);
    assert!(app.has_run()?);

    write_library(&[fs::read(app.library())?.as_slice(), b"tampered"].concat(), &app.library())?;
    assert_snapshot!(app.refused()?.replace(&ours, "OURS"), @"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: its signature does not fit: found other bytes, wanted those that the key OURS has signed
      help: get library and signature again from their source; never sign it as it is
    ");
    let (is_good, said) = app.run("plugin lock")?;
    assert!(!is_good, "no host would load it, so it is not accepted");
    assert_snapshot!(said.replace(&ours, "OURS"), @"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: its signature does not fit: found other bytes, wanted those that the key OURS has signed
      help: get library and signature again from their source; never sign it as it is
    ");
    fs::write(app.at("plugins/libleaves_a_mark.so.minisig"), "signed, honestly")?;
    assert_snapshot!(app.refused()?, @r"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so.minisig: not a signature: found other text, wanted minisign's format, over its hash
      help: sign the library again, with `jackfield plugin sign` or `minisign -S`
    ");
    Ok(())
}

#[test]
fn a_slip_in_the_trusted_keys_does_not_let_unsigned_plugins_run() -> Result<()> {
    let app = ProvenanceApp::new()?;
    app.configure("[plugins]\ntrusted-keys = [\"RWQ\"]")?;
    let said = app.refused()?;
    assert_snapshot!(redacted(&said), @r#"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: not signed: found no plugins/libleaves_a_mark.so.minisig, wanted a signature by one of plugins.trusted-keys
      help: if you trust it, sign it: `jackfield plugin sign plugins/libleaves_a_mark.so --key FILE`
    FOLDER/jackfield.toml:14: plugins.trusted-keys[0]: not a public key of minisign's
      help: write the line that begins with RW of a .pub file, or { file = "PATH" } of that file
    "#);
    Ok(())
}

#[test]
fn a_key_with_a_password_signs_with_it_and_is_never_overwritten() -> Result<()> {
    let app = ProvenanceApp::new()?;
    app.configure("[plugins]\ntrusted-keys = [{ file = \"operator.key.pub\" }]")?;
    let (is_good, said) = app.run_with("plugin key operator.key --password-stdin", "analytical engine\n")?;
    assert!(is_good);
    let key = word_after(&said, "key ")?;
    assert_snapshot!(redacted_with(&said.replace(&key, "[key]"), &[(r"RW[\w+/=]{54}", "[public key]")]), @r#"
    wrote operator.key, to be kept secret, and operator.key.pub
      key     [key]
      trust   trusted-keys = ["[public key]"]
    "#);
    assert_eq!(fs::metadata(app.at("operator.key"))?.permissions().mode() & 0o777, 0o600);
    let sign = "plugin sign plugins/libleaves_a_mark.so --key operator.key";
    let mut refusals = Vec::new();
    for (command, input) in [
        (sign.to_owned(), ""),
        (format!("{sign} --password-stdin"), "difference engine"),
        ("plugin key operator.key --no-password".to_owned(), ""),
        ("plugin key empty.key --password-stdin".to_owned(), "\n"),
        ("plugin key neither.key".to_owned(), ""),
    ] {
        let (is_good, said) = app.run_with(&command, input)?;
        assert!(!is_good, "{command}: {said}");
        refusals.push(said);
    }
    assert_snapshot!(refusals.join("\n"), @"
    error: operator.key: the key has a password
      help: give it with --password-stdin

    error: operator.key: not the password of this key
      help: try again

    error: operator.key.pub: exists already
      help: name another file; a key is never overwritten

    error: the password is empty
      help: write one, or say --no-password

    error: the following required arguments were not provided:
      --password-stdin

    Usage: jackfield-host plugin key --password-stdin <FILE>

    For more information, try '--help'.
    ");
    assert!(app.run_with(&format!("{sign} --password-stdin"), "analytical engine\n")?.0);
    app.assert_accepted()?;
    let signature = fs::read_to_string(app.at("plugins/libleaves_a_mark.so.minisig"))?;
    let comment = word_after(&signature, "trusted comment: ")?;
    assert_snapshot!(redacted_with(&comment, &[(r"timestamp:\d+", "timestamp:[time]")]), @"timestamp:[time]	file:libleaves_a_mark.so	hashed");
    Ok(())
}

#[test]
fn an_author_checks_a_build_wherever_it_lies_and_reads_what_a_host_would_say() -> Result<()> {
    let app = ProvenanceApp::new()?;
    change_mode(&app.library(), 0o664)?;
    let said = app.good("plugin check plugins/libleaves_a_mark.so")?;
    assert_snapshot!(redacted(&said), @"
    plugins/libleaves_a_mark.so: loads, in [duration]
      plugin  jackfield-fixture-leaves-a-mark 0.1.0, abi 1.0
      file    plugins/libleaves_a_mark.so
      sha256  [digest]
      sandbox limits, capabilities, parent, no-new-privileges, landlock, seccomp, seccomp-sealed, undumpable, stopped-between-calls
    provider leaves-a-mark (LeavesAMark)
      hosts   none
      asked   200 questions: 26 event, 94 integration, 29 refresh, 28 revocation, 23 webhook; slowest [duration], largest 92 bytes
    note: a host would refuse it where it lies: plugins/libleaves_a_mark.so: others can write it: found the mode 0664, wanted 0644
      help: chmod go-w plugins/libleaves_a_mark.so
    ");
    app.good("plugin digest plugins/libleaves_a_mark.so")?;
    change_mode(&app.library(), 0o644)?;
    assert!(!app.good("plugin check plugins/libleaves_a_mark.so")?.contains("note: "));
    Ok(())
}

/// Security checklist, point 54.
#[test]
fn a_library_swapped_between_check_and_load_is_loaded_as_it_was_checked() -> Result<()> {
    const RUNS: usize = 30;
    let folder = bare().listed("swapped").folder_only();
    let target = folder.folder().join("plugins/libswapped.so");
    let mut pairs = BTreeSet::new();
    for (name, id) in [("example", "example"), ("leaves_a_mark", "leaves-a-mark")] {
        let source = folder.folder().join(name);
        write_library(&fs::read(built_library(name)?)?, &source)?;
        fs::copy(&source, &target)?;
        let digest = folder.run(&["plugin", "digest", &source.display().to_string()])?.stdout;
        let digest = String::from_utf8(digest)?.split(' ').next().context("a digest")?.to_owned();
        pairs.insert((id.to_owned(), digest));
    }
    let is_done = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        let swapping = scope.spawn(|| swap_until(&is_done, folder.folder(), &target));
        let seen = (0..RUNS).map(|_| loaded(&folder)).collect::<Result<BTreeSet<_>>>();
        is_done.store(true, Ordering::Relaxed);
        swapping.join().expect("the swapping thread does not panic")?;
        seen
    })?;
    assert!(seen.is_subset(&pairs), "{seen:?} of {pairs:?}");
    assert_eq!(seen.len(), 2, "each was loaded sometimes, so they were swapped");
    Ok(())
}

fn swap_until(is_done: &AtomicBool, folder: &Path, target: &Path) -> Result<()> {
    let draft = target.with_extension("draft");
    while !is_done.load(Ordering::Relaxed) {
        for name in ["example", "leaves_a_mark"] {
            fs::hard_link(folder.join(name), &draft)?;
            fs::rename(&draft, target)?;
        }
    }
    Ok(())
}

/// Provider id and digest in one `plugin list`.
fn loaded(folder: &Folder) -> Result<(String, String)> {
    let output = folder.run(&["plugin", "list"])?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let provider = said.lines().find_map(|line| line.strip_suffix(": configured")).context("a provider")?;
    let id = provider.trim().split(' ').next().context("an id")?.to_owned();
    Ok((id, word_after(&said, "sha256 ")?))
}

/// Security checklist, point 59.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_a_user_or_client_can_ask_of_a_host_writes_into_its_plugin_folder() -> Result<()> {
    let app = TestApp::start().await?;
    let before = everything_in(&app.host.folder().join("plugins"))?;
    assert_eq!(before.len(), 2, "both libraries: {before:?}");
    let owner = app.log_in_as("owner").await?;
    owner.start_setup("acme", "example").await?;
    let escape = "../../plugins/libexample.so";
    assert!(owner.post("/extensions/example/setup/", &[("name", escape)]).await?.dialog()?.success);
    let token = app.host.token("acme", &["org:read", "org:write", "org:integrations"])?;
    for path in
        ["/plugins/libnew.so", "/api/0/plugins/", "/assets/..%2f..%2fplugins%2flibexample.so", "/icons/libnew.so"]
    {
        for method in [Method::PUT, Method::POST, Method::PATCH, Method::DELETE] {
            let request = owner.request(method.clone(), path).bearer_auth(&token).body("\u{7f}ELF");
            let status = owner.send(request).await?.status;
            assert!(matches!(status, 401 | 403 | 404 | 405), "{method} {path}: {status}");
        }
    }
    app.host.run(&["plugin", "list"], "")?;
    assert_eq!(everything_in(&app.host.folder().join("plugins"))?, before);
    Ok(())
}

/// Name, inode, size, mode and time of change of everything in a folder.
fn everything_in(folder: &Path) -> Result<BTreeSet<String>> {
    let described = |entry: std::io::Result<fs::DirEntry>| -> Result<_> {
        let entry = entry?;
        let of = entry.metadata()?;
        let changed = (of.ctime(), of.ctime_nsec());
        Ok(format!("{:?} {} {} {:o} {changed:?}", entry.file_name(), of.ino(), of.len(), of.mode()))
    };
    fs::read_dir(folder)?.map(described).collect()
}
