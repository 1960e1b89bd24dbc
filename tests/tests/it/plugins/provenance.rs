//! Only a checked library is loaded: where its file is, who owns it and who can change it.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt, chown, symlink},
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Context, Result, ensure};
use insta::assert_snapshot;
use jackfield_test_support::host::{Folder, built_library, write_library};
use reqwest::Method;

use super::provenance_app::{ProvenanceApp, change_mode, word_after};
use crate::app::{TestApp, add_example, bare, redacted};

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
    FOLDER/jackfield.toml: others can replace this file: found its folder FOLDER with the mode 0777
      help: chmod go-w FOLDER
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
      opens   with the C library only; no executable stack, text relocations, IFUNC or search path
      limits  30 s and 64 MiB of answers for each provider, 300 s in all
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
    add_example(&owner, "acme", "../../plugins/libexample.so").await?;
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
