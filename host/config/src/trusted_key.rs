//! `[plugins] trusted-keys`: whose signatures are accepted, as public keys of minisign.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};
use minisign_verify::PublicKey;

use super::config_value::ConfigValue;

/// `[plugins] trusted-keys`.
///
/// If the key is present, signatures are required, whatever its value: a typing error must not
/// turn them off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedKeys(Option<Vec<TrustedKey>>);

/// A public key of minisign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    /// A signature names it, so that its key can be found.
    pub id: MinisignKeyId,
    /// Verifies signatures.
    pub key: PublicKey,
}

/// The id of a key. Minisign prints it as sixteen upper-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinisignKeyId(u64);

impl TrustedKeys {
    pub(super) fn read(value: Option<ConfigValue<'_>>) -> Self {
        let Some(value) = value else { return Self(None) };
        let Some(items) = value.items() else { return Self(Some(Vec::new())) };
        let keys = items.iter().filter_map(ConfigValue::parsed).collect();
        Self((!items.is_empty()).then_some(keys))
    }

    /// The keys of which one must have signed each plugin; `None` if no signature is required.
    #[must_use]
    pub fn required(&self) -> Option<&[TrustedKey]> {
        self.0.as_deref()
    }
}

impl From<Vec<TrustedKey>> for TrustedKeys {
    fn from(keys: Vec<TrustedKey>) -> Self {
        Self(Some(keys))
    }
}

impl MinisignKeyId {
    /// The id in a key or a signature: eight bytes, after two that name the algorithm.
    #[must_use]
    pub fn of(base64: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(base64.trim()).ok()?;
        Some(Self(u64::from_le_bytes(bytes.get(2..10)?.try_into().ok()?)))
    }
}

impl fmt::Display for MinisignKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

/// Bytes of a secret key. Somebody who lists one by mistake must learn it, but not see it in a log.
const SECRET_KEY_LENGTH: usize = 158;

impl FromStr for TrustedKey {
    type Err = (String, String);

    /// Parses the key alone, or a whole `.pub` file with its comment.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let line = text.lines().find(|line| !line.starts_with("untrusted comment:")).unwrap_or_default().trim();
        if BASE64_STANDARD.decode(line).is_ok_and(|bytes| bytes.len() == SECRET_KEY_LENGTH) {
            let help = "write the public key, from the file that ends in .pub, and keep this one secret";
            return Err(("a secret key".to_owned(), help.to_owned()));
        }
        let key = PublicKey::from_base64(line).ok().zip(MinisignKeyId::of(line));
        key.map(|(key, id)| Self { id, key }).ok_or_else(|| {
            let help = "write the line that begins with RW of a .pub file, or { file = \"PATH\" } of that file";
            ("not a public key of minisign's".to_owned(), help.to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    #[test]
    fn a_key_is_read_alone_and_out_of_its_file() {
        let file = format!("untrusted comment: minisign public key E7620F1842B4E81F\n{KEY}\n");
        for text in [KEY, &format!("{KEY}\n"), &file, file.trim_end()] {
            let key: TrustedKey = text.parse().expect("a public key");
            assert_eq!(key.id.to_string(), "E7620F1842B4E81F", "as minisign prints it");
        }
    }

    #[test]
    fn other_text_is_refused_and_a_secret_key_is_not_shown() {
        let secret = BASE64_STANDARD.encode([7; SECRET_KEY_LENGTH]);
        let other_algorithm = format!("AA{}", &KEY[2..]);
        for text in ["", "RWQ", "operator.pub", &KEY[..40], &format!("{KEY}AAAA"), &other_algorithm] {
            assert_eq!(text.parse::<TrustedKey>().expect_err("no key").0, "not a public key of minisign's", "{text}");
        }
        let (message, help) = secret.parse::<TrustedKey>().expect_err("a secret key");
        assert!(message == "a secret key" && !help.contains(&secret), "{message} {help}");
    }
}
