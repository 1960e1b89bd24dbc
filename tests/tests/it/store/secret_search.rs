//! Searches bytes for secrets, also in the encodings of logs, dumps and URLs. It knows no host.

use std::collections::HashMap;

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE},
};
use url::form_urlencoded;

/// Secrets that must be nowhere, with their descriptions.
#[derive(Default)]
pub(crate) struct Secrets {
    /// By their first two bytes, so that one pass over the bytes finds all of them.
    needles: HashMap<[u8; 2], Vec<(String, Vec<u8>)>>,
    count: usize,
}

/// Shorter secrets would be found by chance.
const SHORTEST: usize = 8;

impl Secrets {
    /// Adds a secret that was really used.
    pub(crate) fn add(&mut self, what: &str, secret: impl AsRef<[u8]>) {
        let secret = secret.as_ref();
        assert!(secret.len() >= SHORTEST, "{what} was really used: {:?}", String::from_utf8_lossy(secret));
        self.count += 1;
        for (how, bytes) in written(secret) {
            let needles = self.needles.entry([bytes[0], bytes[1]]).or_default();
            if !needles.iter().any(|(_, known)| *known == bytes) {
                needles.push((format!("{what}, {how}"), bytes));
            }
        }
    }

    /// Number of secrets.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// The secrets in some bytes, each with the text before it.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let mut begins = vec![false; 1 << 16];
        self.needles.keys().for_each(|start| begins[usize::from(u16::from_be_bytes(*start))] = true);
        let mut found = Vec::new();
        for (at, start) in bytes.windows(2).enumerate() {
            let start = [start[0], start[1]];
            if !begins[usize::from(u16::from_be_bytes(start))] {
                continue;
            }
            let here = self.needles[&start].iter().filter(|(_, needle)| bytes[at..].starts_with(needle));
            found.extend(here.map(|(what, needle)| format!("{what}: {}", around(bytes, at, needle.len()))));
        }
        found
    }
}

/// A secret in every common encoding.
fn written(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut written = vec![("as it is", secret.to_vec()), ("in upper-case hex", hex.to_uppercase().into_bytes())];
    written.push(("in hex", hex.into_bytes()));
    // Within a longer text, a group of three bytes can begin at any of the first three.
    for from in 0..3 {
        let groups = &secret[from..from + (secret.len() - from) / 3 * 3];
        written.push(("in base64", BASE64_STANDARD.encode(groups).into_bytes()));
        written.push(("in base64url", BASE64_URL_SAFE.encode(groups).into_bytes()));
    }
    if let Ok(text) = std::str::from_utf8(secret) {
        written.push(("in a form", form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().into_bytes()));
        let quoted = serde_json::json!(text).to_string();
        written.push(("in JSON", quoted.as_bytes()[1..quoted.len() - 1].to_vec()));
    }
    written
}

fn around(bytes: &[u8], at: usize, length: usize) -> String {
    String::from_utf8_lossy(&bytes[at.saturating_sub(80)..at + length]).into_owned()
}

#[test]
fn a_secret_is_found_in_whatever_way_it_is_written_and_nothing_else_is() {
    let mut secrets = Secrets::default();
    secrets.add("the secret", "s3cret &/+\"");
    let all = |text: &str| secrets.found_in(text.as_bytes());
    for before in ["", "a", "ab", "abc"] {
        let longer = format!("{before}s3cret &/+\" and more");
        let hex: String = longer.bytes().map(|byte| format!("{byte:02x}")).collect();
        let ways = [longer.clone(), hex, BASE64_STANDARD.encode(&longer), BASE64_URL_SAFE.encode(&longer)];
        for way in ways.iter().chain([&serde_json::json!(longer).to_string()]) {
            assert_eq!(all(way).len(), 1, "{way}");
        }
    }
    assert_eq!(all("state=1&secret=s3cret+%26%2F%2B%22").len(), 1);
    assert_eq!(all("s3cret &/+").len() + all("another secret").len() + all("").len(), 0);
}
