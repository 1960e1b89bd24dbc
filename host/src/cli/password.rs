//! A password, read where neither the list of processes nor the shell's history shows it.

use std::io::Read;

use anyhow::Context;
use secrecy::SecretString;

/// Standard input up to the end of its first line.
pub(super) fn from_stdin() -> anyhow::Result<SecretString> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("reading the password from standard input")?;
    Ok(text.lines().next().unwrap_or_default().into())
}
