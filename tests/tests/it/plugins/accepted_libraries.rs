//! Libraries as the operator has accepted them: `jackfield.lock`.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use anyhow::{Result, ensure};
use insta::assert_snapshot;
use jackfield_test_support::host::write_library;

use super::provenance_app::{ProvenanceApp, change_mode, word_after};
use crate::app::{bare, leaving_a_mark, log_line, owner_of_acme, redacted};

#[test]
fn a_lock_that_others_can_write_is_refused_in_the_same_words() -> Result<()> {
    let app = ProvenanceApp::new()?;
    app.good("plugin lock")?;
    let lock = app.at("jackfield.lock");
    assert_eq!(fs::metadata(&lock)?.permissions().mode() & 0o777, 0o644, "a host of another user can read it");
    change_mode(&app.at("."), 0o777)?;
    assert_snapshot!(app.refused()?, @"
    FOLDER/jackfield.toml: others can replace this file: found its folder FOLDER with the mode 0777
      help: chmod go-w FOLDER
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
    assert_snapshot!(log_line(&host, "not as it is in jackfield.lock: found the digest ")?, @r"ERROR a plugin is skipped error=[folder]/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: not as it is in jackfield.lock: found the digest [digest], wanted [digest]\n  help: put the accepted library back; or, if you trust the new one, accept it with `jackfield plugin lock`");
    assert!(!mark.exists(), "nothing of it has run");
    let owner = owner_of_acme(&host).await?;
    assert_eq!(owner.start_setup("acme", "example").await?.status, 200);
    assert_eq!(owner.visit("/extensions/leaves-a-mark/setup/").await?.status, 404);
    Ok(())
}
