//! Which keys one file says otherwise than another, without keeping what either says: values may be secrets.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
};

use toml::de::{DeTable, DeValue};

/// Each dotted key of a file with a hash of its value, that only this process can make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<String, u64>);

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl Fingerprint {
    pub(super) fn of(root: &DeTable<'_>) -> Self {
        let mut hashes = BTreeMap::new();
        add("", root, &mut hashes);
        Self(hashes)
    }

    /// The keys that are new, gone or otherwise there, in their order.
    #[must_use]
    pub fn changed(&self, after: &Self) -> Vec<String> {
        let keys = self.0.keys().chain(after.0.keys().filter(|key| !self.0.contains_key(*key)));
        let mut changed: Vec<String> = keys.filter(|key| self.0.get(*key) != after.0.get(*key)).cloned().collect();
        changed.sort();
        changed
    }
}

fn add(prefix: &str, table: &DeTable<'_>, hashes: &mut BTreeMap<String, u64>) {
    for (name, value) in table {
        let name = name.get_ref();
        let key = if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") };
        match value.get_ref() {
            DeValue::Table(table) => add(&key, table, hashes),
            other => drop(hashes.insert(key, HASHER.hash_one(text(other)))),
        }
    }
}

/// The same for the same value, wherever it stands.
fn text(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(is) => is.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| text(item.get_ref())).collect();
            format!("[{}]", items.join(","))
        }
        DeValue::Table(table) => {
            let pairs: Vec<String> =
                table.iter().map(|(key, value)| format!("{:?}={}", key.get_ref(), text(value.get_ref()))).collect();
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
    fn the_keys_that_differ_are_named_and_nothing_of_what_they_say() {
        let before = of("a = [\"x\"]\n[slack]\nclient-secret = \"hunter2\"\nrotate = true\n[http]\ntimeout = 2\n");
        let after = of("a = [\"x\"]\n\n[http]\ntimeout = 2\n[slack]\nclient-secret = \"hunter3\"\napi = \"v2\"\n");
        assert_eq!(before.changed(&after), ["slack.api", "slack.client-secret", "slack.rotate"]);
        assert_eq!(before.changed(&before), Vec::<String>::new());
        assert!(!format!("{before:?}").contains("hunter2"));
    }
}
