//! Libraries that a trusted key must have signed.

use std::{fs, os::unix::fs::PermissionsExt};

use anyhow::Result;
use insta::assert_snapshot;
use jackfield_test_support::host::write_library;

use super::provenance_app::{ProvenanceApp, word_after};
use crate::app::{redacted, redacted_with};

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
