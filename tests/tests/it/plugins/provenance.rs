//! What is loaded is what was checked: where a library lies, who has signed it, what the operator has accepted.

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
use jackfield_test_support::{
    host::{Folder, built_library, write_library},
    http_client::HttpClient,
};
use reqwest::Method;
use tempfile::TempDir;

use crate::app::{PASSWORD, TestApp, bare, leaving_a_mark};

/// A host's folder with one good plugin in it, which leaves a mark when any of it runs.
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

    /// Whether a command went well, and what it said.
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

    /// Runs a command that goes well; what it said.
    fn good(&self, command: &str) -> Result<String> {
        let (is_good, said) = self.run(command)?;
        ensure!(is_good, "{command}: {said}");
        Ok(said)
    }

    /// What `config check` says of a library that is refused before any of it runs.
    fn refused(&self) -> Result<String> {
        let (is_good, said) = self.run("config check")?;
        ensure!(!is_good, "it is accepted: {said}");
        ensure!(!self.has_run()?, "some of it has run: {said}");
        Ok(said.split_once('\n').map_or(said.as_str(), |(_, rest)| rest).trim_end().to_owned())
    }

    fn assert_accepted(&self) -> Result<()> {
        self.good("config check")?;
        ensure!(self.has_run()?, "accepted, it does leave its mark, so the test can fail");
        Ok(())
    }

    /// Whether any of it has run since this was asked last.
    fn has_run(&self) -> Result<bool> {
        let mark = self.marks.path().join("mark");
        let has_run = mark.exists();
        if has_run {
            fs::remove_file(mark)?;
        }
        Ok(has_run)
    }

    /// Makes a pair of keys in the folder; its id.
    fn key(&self, name: &str) -> Result<String> {
        word_after(&self.good(&format!("plugin key {name} --no-password"))?, "key ")
    }

    /// Makes a pair of keys and demands signatures by it; its id.
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
    let cases = [
        (library, 0o664, "it: found the mode 0664, wanted 0644"),
        (library, 0o646, "it: found the mode 0646, wanted 0644"),
        ("plugins", 0o775, "its folder FOLDER/plugins: found the mode 0775, wanted 0755"),
        ("plugins", 0o1777, "its folder FOLDER/plugins: found the mode 1777, wanted 1755"),
        (".", 0o777, "its folder FOLDER: found the mode 0777, wanted 0755"),
    ];
    for (place, mode, told) in cases {
        let site = ProvenanceApp::new()?;
        change_mode(&site.at(place), mode)?;
        let said = site.refused()?;
        let head = format!("FOLDER/jackfield.toml:1: default-integrations: {library}: others can write {told}");
        assert!(said.starts_with(&head), "{said}");
        let help = word_after(&said, "help: ")?.replace("FOLDER", &site.folder.folder().display().to_string());
        if mode & 0o1000 != 0 {
            assert_eq!(help, "put libleaves_a_mark.so into a folder that only root and the host's user can write");
            continue;
        }
        assert!(help.starts_with("chmod go-w "), "{help}");
        let words: Vec<&str> = help.split(' ').collect();
        assert!(Command::new(words[0]).args(&words[1..]).current_dir(site.folder.folder()).status()?.success());
        site.assert_accepted()?;
    }
    Ok(())
}

/// Security checklist, point 53.
#[test]
fn a_library_or_folder_of_another_user_is_refused() -> Result<()> {
    // Only root can give something away; that an owner is judged for everybody is a table of the room itself.
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(());
    }
    for (place, told) in [("plugins/libleaves_a_mark.so", "it"), ("plugins", "its folder FOLDER/plugins")] {
        let site = ProvenanceApp::new()?;
        chown(site.at(place), Some(4321), None)?;
        let said = site.refused()?;
        assert!(said.contains(&format!("somebody else owns {told}: found the user 4321, wanted 0, root\n")), "{said}");
        assert!(said.ends_with(&format!("help: chown root {}", told.strip_prefix("its folder ").unwrap_or(place))));
        chown(site.at(place), Some(0), None)?;
        site.assert_accepted()?;
    }
    Ok(())
}

/// Security checklist, point 53.
#[test]
fn a_library_that_is_a_symbolic_link_or_no_file_is_refused() -> Result<()> {
    let site = ProvenanceApp::new()?;
    fs::rename(site.library(), site.at("elsewhere.so"))?;
    symlink(site.at("elsewhere.so"), site.library())?;
    insta::assert_snapshot!(site.refused()?, @r"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: found a symbolic link, wanted the file itself
      help: put the file itself in the link's place, as `install -m 644 FILE FOLDER` does
    ");
    fs::remove_file(site.library())?;
    fs::create_dir(site.library())?;
    insta::assert_snapshot!(site.refused()?, @r"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: found a folder, wanted the file itself
      help: put a regular file there, or name another
    ");
    Ok(())
}

/// Security checklist, point 53.
#[test]
fn a_name_with_path_parts_and_a_path_that_climbs_are_refused() -> Result<()> {
    let wanted = "wanted 1 to 64 of A-Z, a-z, 0-9, `.`, `-` and `_`, and no dot in front";
    for (entry, told) in [
        ("..", format!("not a plugin's name: found \"..\", {wanted}")),
        (".leaves_a_mark", format!("not a plugin's name: found \".leaves_a_mark\", {wanted}")),
        ("leaves_a_mark ", format!("not a plugin's name: found \"leaves_a_mark \", {wanted}")),
        ("leaves_a_mark(NUL)", format!("not a plugin's name: found \"leaves_a_mark\\0\", {wanted}")),
        (
            "plugins/../plugins/libleaves_a_mark.so",
            "\"plugins/../plugins/libleaves_a_mark.so\": found the part `..`, wanted a path that says where it leads"
                .to_owned(),
        ),
        (
            "plugins/libleaves_a_mark.so(NUL)",
            "\"plugins/libleaves_a_mark.so\\0\": found a NUL character, wanted a path that says where it leads"
                .to_owned(),
        ),
    ] {
        let site = ProvenanceApp::listing(entry)?;
        let file = site.at("jackfield.toml");
        fs::write(&file, fs::read_to_string(&file)?.replace("(NUL)", "\\u0000"))?;
        let said = site.refused()?;
        assert!(said.contains(&told), "{entry}: {said}");
    }
    Ok(())
}

#[test]
fn a_lock_that_others_can_write_is_refused_in_the_same_words() -> Result<()> {
    let site = ProvenanceApp::new()?;
    site.good("plugin lock")?;
    let lock = site.at("jackfield.lock");
    assert_eq!(fs::metadata(&lock)?.permissions().mode() & 0o777, 0o644, "a host of another user reads it too");
    change_mode(&site.at("."), 0o777)?;
    assert!(site.refused()?.contains("FOLDER/jackfield.lock: others can write its folder FOLDER: found the mode 0777"));
    change_mode(&site.at("."), 0o755)?;
    change_mode(&lock, 0o666)?;
    insta::assert_snapshot!(site.refused()?, @r"
    FOLDER/jackfield.toml: FOLDER/jackfield.lock: others can write it: found the mode 0666, wanted 0644
      help: chmod go-w FOLDER/jackfield.lock
    ");
    fs::rename(&lock, site.at("elsewhere.lock"))?;
    symlink(site.at("elsewhere.lock"), &lock)?;
    assert!(site.refused()?.contains("FOLDER/jackfield.lock: found a symbolic link, wanted the file itself"));
    fs::remove_file(site.at("elsewhere.lock"))?;
    assert!(site.refused()?.contains("found a symbolic link"), "a link that leads nowhere is not an absent lock");
    Ok(())
}

/// Security checklist, point 52.
#[test]
fn a_library_that_differs_from_the_lock_in_anything_is_refused_with_both_values() -> Result<()> {
    let site = ProvenanceApp::new()?;
    let signer = site.trusted_key()?;
    site.sign("operator.key")?;
    let said = site.good("plugin lock")?;
    assert!(!site.has_run()?, "to accept a library is not to run it");
    let digest = word_after(&said, "sha256 ")?;
    assert!(said.starts_with("accepted leaves_a_mark\n") && said.ends_with("wrote FOLDER/jackfield.lock\n"), "{said}");
    assert_eq!(word_after(&said, "signer ")?, signer);
    site.assert_accepted()?;

    let lock = site.at("jackfield.lock");
    let accepted = fs::read_to_string(&lock)?;
    for (what, found, wanted) in [
        ("digest", digest.as_str(), "0".repeat(64).as_str()),
        ("abi", "1.0", "1.7"),
        ("version", "0.1.0", "0.2.0"),
        ("signer", &signer, "0123456789ABCDEF"),
    ] {
        let changed = accepted.replace(&format!("{what} = \"{found}\""), &format!("{what} = \"{wanted}\""));
        ensure!(changed != accepted, "{what} is in {accepted}");
        fs::write(&lock, changed)?;
        let told = format!("not as it is in jackfield.lock: found the {what} {found}, wanted {wanted}\n");
        let said = site.refused()?;
        assert!(said.contains(&told), "{said}");
    }
    Ok(())
}

#[test]
fn a_lock_keeps_a_signer_who_is_no_longer_asked_for_and_one_without_asks_for_none() -> Result<()> {
    let site = ProvenanceApp::new()?;
    let plain = fs::read_to_string(site.at("jackfield.toml"))?;
    let signer = site.trusted_key()?;
    site.sign("operator.key")?;
    site.good("plugin lock")?;
    let demanding = fs::read_to_string(site.at("jackfield.toml"))?;
    fs::write(site.at("jackfield.toml"), &plain)?;
    assert!(site.refused()?.contains(&format!("found the signer none, wanted {signer}")));

    site.good("plugin lock")?;
    assert!(!fs::read_to_string(site.at("jackfield.lock"))?.contains("signer"), "nobody vouches for it any more");
    site.assert_accepted()?;
    fs::write(site.at("jackfield.toml"), demanding)?;
    site.assert_accepted()?;
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
    assert!(host.log()?.contains("not as it is in jackfield.lock: found the digest "), "{}", host.log()?);
    assert!(!mark.exists(), "not one byte of it has run");
    host.user("owner@example.com", PASSWORD)?;
    host.run(&["org", "create", "acme", "--name", "Acme", "--owner", "owner@example.com"], "")?;
    let owner = HttpClient::logged_in(&host.url, "owner@example.com", PASSWORD).await?;
    assert_eq!(owner.start_setup("acme", "example").await?.status, 200);
    assert_eq!(owner.visit("/extensions/leaves-a-mark/setup/").await?.status, 404);
    Ok(())
}

#[test]
fn where_signatures_are_demanded_only_what_a_trusted_key_has_signed_is_loaded() -> Result<()> {
    let site = ProvenanceApp::new()?;
    let ours = site.trusted_key()?;
    insta::assert_snapshot!(site.refused()?, @r"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: not signed: found no plugins/libleaves_a_mark.so.minisig, wanted a signature by one of plugins.trusted-keys
      help: if you trust it, sign it: `jackfield plugin sign plugins/libleaves_a_mark.so --key FILE`
    ");
    let theirs = site.key("their.key")?;
    site.sign("their.key")?;
    let said = site.refused()?.replace(&ours, "OURS").replace(&theirs, "THEIRS");
    insta::assert_snapshot!(said, @r"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: signed by a key that is not trusted: found THEIRS, wanted OURS
      help: add that key to plugins.trusted-keys if you trust whoever has it; do not load it otherwise
    ");
    assert_eq!(word_after(&site.sign("operator.key")?, "signer ")?, ours);
    site.assert_accepted()?;
    assert_eq!(word_after(&site.good("plugin list")?, "signer ")?, ours);
    assert_eq!(word_after(&site.good("plugin check plugins/libleaves_a_mark.so")?, "signer ")?, ours);
    assert!(site.has_run()?);

    write_library(&[fs::read(site.library())?.as_slice(), b"tampered"].concat(), &site.library())?;
    insta::assert_snapshot!(site.refused()?.replace(&ours, "OURS"), @r"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: its signature does not fit: found other bytes, wanted those that the key OURS has signed
      help: get library and signature again from where they were made; never sign it as it is
    ");
    let (is_good, said) = site.run("plugin lock")?;
    assert!(!is_good && said.contains("its signature does not fit"), "what no host would load is not accepted: {said}");
    fs::write(site.at("plugins/libleaves_a_mark.so.minisig"), "signed, honestly")?;
    insta::assert_snapshot!(site.refused()?, @r"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so.minisig: not a signature: found other text, wanted minisign's format, over its hash
      help: sign the library again, with `jackfield plugin sign` or `minisign -S`
    ");
    Ok(())
}

#[test]
fn a_slip_in_the_trusted_keys_does_not_let_unsigned_plugins_run() -> Result<()> {
    let site = ProvenanceApp::new()?;
    site.configure("[plugins]\ntrusted-keys = [\"RWQ\"]")?;
    let said = site.refused()?;
    assert!(said.contains("plugins.trusted-keys[0]: not a public key of minisign's"), "{said}");
    assert!(said.contains("not signed: found no plugins/libleaves_a_mark.so.minisig"), "{said}");
    Ok(())
}

#[test]
fn a_key_with_a_password_signs_with_it_and_is_never_overwritten() -> Result<()> {
    let site = ProvenanceApp::new()?;
    site.configure("[plugins]\ntrusted-keys = [{ file = \"operator.key.pub\" }]")?;
    let (is_good, said) = site.run_with("plugin key operator.key --password-stdin", "analytical engine\n")?;
    assert!(is_good && said.contains("trusted-keys = [\"RW"), "{said}");
    assert_eq!(fs::metadata(site.at("operator.key"))?.permissions().mode() & 0o777, 0o600);
    let sign = "plugin sign plugins/libleaves_a_mark.so --key operator.key";
    for (command, input, told) in [
        (sign.to_owned(), "", "operator.key: the key has a password\n  help: give it with --password-stdin"),
        (format!("{sign} --password-stdin"), "difference engine", "operator.key: not the password of this key"),
        ("plugin key operator.key --no-password".to_owned(), "", "a key is never overwritten"),
        ("plugin key empty.key --password-stdin".to_owned(), "\n", "the password is empty"),
        ("plugin key neither.key".to_owned(), "", "--password-stdin"),
    ] {
        let (is_good, said) = site.run_with(&command, input)?;
        assert!(!is_good && said.contains(told), "{command}: {said}");
    }
    assert!(site.run_with(&format!("{sign} --password-stdin"), "analytical engine\n")?.0);
    site.assert_accepted()?;
    let signature = fs::read_to_string(site.at("plugins/libleaves_a_mark.so.minisig"))?;
    let comment = word_after(&signature, "trusted comment: ")?;
    assert!(comment.starts_with("timestamp:") && comment.contains("file:libleaves_a_mark.so"), "{comment}");
    Ok(())
}

#[test]
fn an_author_checks_a_build_wherever_it_lies_and_reads_what_a_host_would_say() -> Result<()> {
    let site = ProvenanceApp::new()?;
    change_mode(&site.library(), 0o664)?;
    let said = site.good("plugin check plugins/libleaves_a_mark.so")?;
    let note = "note: a host would refuse it where it lies: plugins/libleaves_a_mark.so: others can write it: ";
    assert!(said.contains("provider leaves-a-mark") && said.contains(note), "{said}");
    site.good("plugin digest plugins/libleaves_a_mark.so")?;
    change_mode(&site.library(), 0o644)?;
    assert!(!site.good("plugin check plugins/libleaves_a_mark.so")?.contains("note: "));
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
    assert_eq!(seen.len(), 2, "each was loaded at times, so they were swapped");
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

/// Provider id and digest, as `plugin list` tells them of one loading.
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
