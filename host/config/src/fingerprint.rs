//! Which keys differ between two files, without keeping their values, which may be secrets.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toml::de::{DeInteger, DeTable, DeValue};

use super::reference::is_reference;

/// Each dotted key of a file, with a hash of its value and of what that refers to. A hash lets
/// somebody try values out, so it is stored sealed, and `Debug` shows none.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(BTreeMap<String, String>);

/// The only reference that is not followed: everything is sealed under that key, this too.
const SECRET_KEY: &str = "system.secret-key";

impl Fingerprint {
    pub(super) fn of(root: &DeTable<'_>) -> Self {
        let mut hashes = BTreeMap::new();
        add("", root, &mut hashes);
        Self(hashes)
    }

    /// The keys that were added, removed or changed, sorted.
    #[must_use]
    pub fn changed(&self, after: &Self) -> Vec<String> {
        let keys = self.0.keys().chain(after.0.keys().filter(|key| !self.0.contains_key(*key)));
        let mut changed: Vec<String> = keys.filter(|key| self.0.get(*key) != after.0.get(*key)).cloned().collect();
        changed.sort();
        changed
    }

    /// The same, with the ids of the secret keys.
    #[must_use]
    pub fn with_secret_key(mut self, ids: &str) -> Self {
        let before = self.0.get(SECRET_KEY).cloned().unwrap_or_default();
        self.0.insert(SECRET_KEY.to_owned(), hash(&format!("{before} {ids}")));
        self
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({} keys)", self.0.len())
    }
}

fn add(prefix: &str, table: &DeTable<'_>, hashes: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let name = name.get_ref();
        let key = if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") };
        match value.get_ref() {
            DeValue::Table(table) if !is_reference(table) => add(&key, table, hashes),
            other => {
                let resolve: Resolve = if key == SECRET_KEY { |_, _| String::new() } else { target_text };
                hashes.insert(key, hash(&text(other, resolve)));
            }
        }
    }
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the text that a reference (kind, target) leads to.
type Resolve = fn(&str, &str) -> String;

/// The text of an environment variable or a file; empty if it cannot be read, which is reported
/// elsewhere. Other than ordinary files can be read only once, and not by us.
fn target_text(kind: &str, target: &str) -> String {
    if kind == "env" {
        return std::env::var(target).unwrap_or_default();
    }
    let is_file = Path::new(target).metadata().is_ok_and(|metadata| metadata.is_file());
    fs::read(target)
        .ok()
        .filter(|_| is_file)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// `0x10`, `16` and `1_6` are one number.
fn whole(number: &DeInteger<'_>) -> Option<String> {
    i128::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
}

/// The same text for the same value, wherever it stands and however it is written.
fn text(value: &DeValue<'_>, resolve: Resolve) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => whole(number).unwrap_or_else(|| number.to_string()),
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or_else(|_| number.to_string(), |n| n.to_string()),
        DeValue::Boolean(is) => is.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| text(item.get_ref(), resolve)).collect();
            format!("[{}]", items.join(","))
        }
        DeValue::Table(table) => {
            let is_reference = is_reference(table);
            let pair = |(key, value): (&toml::Spanned<toml::de::DeString<'_>>, &toml::Spanned<DeValue<'_>>)| {
                let target =
                    value.get_ref().as_str().filter(|_| is_reference).map(|target| resolve(key.get_ref(), target));
                format!("{:?}={}{:?}", key.get_ref(), text(value.get_ref(), resolve), target)
            };
            let mut pairs: Vec<String> = table.iter().map(pair).collect();
            pairs.sort();
            format!("{{{}}}", pairs.join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Fingerprint {
        Fingerprint::of(DeTable::parse(text).expect("good TOML").get_ref())
    }

    #[test]
    fn keys_that_differ_are_named_without_their_values() {
        let before = of("a = [\"x\"]\n[slack]\nclient-secret = \"hunter2\"\nrotate = true\n[http]\ntimeout = 2\n");
        let after = of("a = [\"x\"]\n\n[http]\ntimeout = 2\n[slack]\nclient-secret = \"hunter3\"\napi = \"v2\"\n");
        assert_eq!(before.changed(&after), ["slack.api", "slack.client-secret", "slack.rotate"]);
        assert_eq!(before.changed(&before), Vec::<String>::new());
        assert_eq!(format!("{before:?}"), "Fingerprint(4 keys)");
    }

    #[test]
    fn the_way_in_which_a_value_is_written_is_no_change() {
        let before = of("a = 16\nb = 1.50\nc = { x = 1, y = \"z\" }\nd = [1, 2]\n[s]\nt.u = true\n");
        let after =
            of("# a comment\nd = [\n  1, # one\n  2,\n]\nc = { y = 'z', x = 1 }\nb = 1.5\na = 0x10\n[s.t]\nu = true\n");
        assert_eq!(before.changed(&after), Vec::<String>::new());
    }

    #[test]
    fn a_reference_changes_with_the_value_it_leads_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        let write = |text: &str| std::fs::write(&file, text).expect("a file");
        let config = format!(
            "[slack]\nclient-secret = {{ file = {file:?} }}\n[plugins]\ntrusted-keys = [{{ file = {file:?} }}]\n\
             [system]\nsecret-key = {{ file = {file:?} }}\n"
        );
        write("hunter2");
        let before = of(&config);
        write("hunter3");
        assert_eq!(before.changed(&of(&config)), ["plugins.trusted-keys", "slack.client-secret"]);
        let key = |ids| before.clone().with_secret_key(ids);
        assert_eq!(key("1").changed(&key("2")), ["system.secret-key"]);
        assert_eq!(key("1").changed(&key("1")), Vec::<String>::new());
    }
}
