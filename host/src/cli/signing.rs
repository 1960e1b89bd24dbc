//! `jackfield plugin key` and `jackfield plugin sign`.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::lines::line;
use super::password;
use jackfield_author::signing_key::{make_keys, sign as sign_library};

#[derive(Args)]
pub(super) struct KeyArguments {
    /// File of the secret key, readable by you alone; the public key goes to FILE.pub.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Protect the key with a password: the first line of standard input.
    #[arg(long, required_unless_present = "no_password", conflicts_with = "no_password")]
    password_stdin: bool,
    /// Do not protect the key: anybody who has the file can sign.
    #[arg(long)]
    no_password: bool,
}

#[derive(Args)]
pub(super) struct SignArguments {
    /// The library.
    path: PathBuf,
    /// The secret key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Read the key's password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
}

pub(super) fn key(arguments: &KeyArguments) -> anyhow::Result<()> {
    let password = password(arguments.password_stdin)?;
    let is_empty = password.as_ref().is_some_and(|password| password.expose_secret().is_empty());
    ensure!(!is_empty, "the password is empty\n  help: write one, or say --no-password");
    let pair = make_keys(&arguments.file, password.as_ref())?;
    line!("wrote {}, to be kept secret, and {}", arguments.file.display(), pair.public.display());
    line!("  key     {}", pair.id);
    line!("  trust   trusted-keys = [\"{}\"]", pair.text);
    Ok(())
}

pub(super) fn sign(arguments: &SignArguments) -> anyhow::Result<()> {
    let signed = sign_library(&arguments.path, &arguments.key, password(arguments.password_stdin)?.as_ref())?;
    line!("wrote {}", signed.signature.display());
    line!("  signer  {}", signed.signer);
    Ok(())
}

fn password(is_on_stdin: bool) -> anyhow::Result<Option<SecretString>> {
    is_on_stdin.then(password::from_stdin).transpose()
}
