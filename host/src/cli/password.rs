//! Passwords from standard input: arguments would be in the process list and the shell's history.

use std::io::Read;

use anyhow::Context;
use secrecy::SecretString;

/// The first line of standard input.
pub(super) fn from_stdin() -> anyhow::Result<SecretString> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("reading the password from standard input")?;
    Ok(text.lines().next().unwrap_or_default().into())
}
