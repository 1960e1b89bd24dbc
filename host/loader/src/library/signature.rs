//! Who has signed a library, in minisign's format (<https://jedisct1.github.io/minisign/>). The
//! signature is verified over the very bytes that are loaded.

use std::{
    ffi::OsString,
    io::{self, Read},
    path::{Path, PathBuf},
};

use minisign_verify::{Error, Signature};

use super::location;
use crate::refusal::Refusal;
use jackfield_config::{MinisignKeyId, TrustedKey, TrustedKeys};

/// Bytes of a signature file that are read. A good one has about three hundred.
const MAX_LENGTH: u64 = 4096;

/// The file of a library's signature.
#[must_use]
pub fn signature_path(library: &Path) -> PathBuf {
    let mut path = OsString::from(library);
    path.push(".minisig");
    path.into()
}

/// The trusted key that signed a library; `None` if no signature is required.
pub(super) fn signer(library: &Path, bytes: &[u8], trusted: &TrustedKeys) -> Result<Option<MinisignKeyId>, Refusal> {
    let Some(keys) = trusted.required() else { return Ok(None) };
    let (signature, id) = read(library)?;
    let mut candidates = keys.iter().filter(|key| key.id == id).peekable();
    if candidates.peek().is_none() {
        return Err(Refusal::UntrustedSigner { file: library.to_owned(), found: id.to_string(), wanted: listed(keys) });
    }
    // Anybody can make a key with a given id, so there may be several.
    match candidates.map(|key| key.key.verify(bytes, &signature, false)).reduce(Result::or) {
        Some(Ok(())) => Ok(Some(id)),
        Some(Err(Error::UnexpectedAlgorithm)) => {
            Err(Refusal::NotASignature { file: signature_path(library), found: "one over the file itself" })
        }
        _ => Err(Refusal::SignatureDoesNotFit { file: library.to_owned(), signer: id.to_string() }),
    }
}

fn listed(keys: &[TrustedKey]) -> String {
    let ids: Vec<_> = keys.iter().map(|key| key.id.to_string()).collect();
    if ids.is_empty() { "one of plugins.trusted-keys, of which none can be read".to_owned() } else { ids.join(" or ") }
}

fn read(library: &Path) -> Result<(Signature, MinisignKeyId), Refusal> {
    let file = signature_path(library);
    let refused = |found: &'static str| Refusal::NotASignature { file: file.clone(), found };
    let mut opened = match location::open(&file) {
        Err(Refusal::Unreadable { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Refusal::NotSigned { file: library.to_owned(), signature: file });
        }
        opened => opened?.take(MAX_LENGTH),
    };
    let mut text = String::new();
    opened.read_to_string(&mut text).map_err(|_| refused("other bytes"))?;
    let signature = Signature::decode(&text).map_err(|_| refused("other text"))?;
    let id = text.lines().nth(1).and_then(MinisignKeyId::of).ok_or_else(|| refused("other text"))?;
    Ok((signature, id))
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
