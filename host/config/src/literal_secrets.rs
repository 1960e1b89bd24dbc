//! Secrets that stand in the configuration file itself, where others may read the file.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{diagnostic_collector::DiagnosticCollector, postgres_url::PostgresUrl, read_value::holds_a_secret};

/// Everything that is signed or sealed hangs on it.
const SECRET_KEY: &str = "system.secret-key";

/// A literal secret: its dotted key, and where it stands.
struct Literal {
    key: String,
    at: usize,
}

/// Reports literal secrets if others may read the file. A literal secret key is a mistake in a
/// host that people use over https. Everything else is worth a warning.
pub(super) fn report(collector: &DiagnosticCollector, root: &DeTable<'_>, is_https: bool) {
    if !may_others_read(collector.file()) {
        return;
    }
    let mut literals = Vec::new();
    find("", root, &mut literals);
    let (keys, mut others): (Vec<_>, Vec<_>) =
        literals.into_iter().partition(|literal| literal.key == SECRET_KEY && is_https);
    for Literal { key, at } in keys {
        let (message, help) = words(&key, collector.file());
        collector.report(Some(collector.line(at)), &key, message, help);
    }
    others.sort_by_key(|literal| literal.at);
    for Literal { key, at } in others {
        let (message, help) = words(&key, collector.file());
        collector.warn(Some(collector.line(at)), &key, message, help);
    }
}

fn words(key: &str, file: &Path) -> (String, String) {
    let name = key.rsplit('.').next().unwrap_or(key);
    let help = format!("chmod o-r {}, or write {name} = {{ file = \"PATH\" }} or {{ env = \"NAME\" }}", file.display());
    ("the secret stands in this file, and others may read the file".to_owned(), help)
}

/// A group is the operator's choice. Everybody is nobody's.
fn may_others_read(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

fn find(prefix: &str, table: &DeTable<'_>, found: &mut Vec<Literal>) {
    for (name, value) in table {
        let name = name.get_ref();
        let key = if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") };
        match value.get_ref() {
            DeValue::Table(table) => find(&key, table, found),
            DeValue::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    if let Some(table) = item.get_ref().as_table() {
                        find(&format!("{key}[{at}]"), table, found);
                    }
                }
            }
            _ if is_secret(&key, value) => found.push(Literal { key, at: value.span().start }),
            _ => {}
        }
    }
}

/// A reference is a table of one text, `env` or `file`, whose names are no secret's.
fn is_secret(key: &str, value: &Spanned<DeValue<'_>>) -> bool {
    let Some(text) = value.get_ref().as_str().filter(|text| !text.is_empty()) else { return false };
    // One that cannot be read may have one that nobody can find.
    let has_password = || text.parse().map_or(PostgresUrl::is_meant(text), |url: PostgresUrl| url.has_password());
    if key == "database.url" { has_password() } else { holds_a_secret(key) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Diagnostic;

    /// Keys that are refused, and keys that are warned of.
    fn told(text: &str, mode: u32, is_https: bool) -> (Vec<String>, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("jackfield.toml");
        fs::write(&file, text).expect("it is written");
        fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("its mode is set");
        let collector = DiagnosticCollector::new(&file, text);
        let (root, _) = DeTable::parse_recoverable(text);
        let keys = |list: Vec<Diagnostic>| list.into_iter().map(|diagnostic| diagnostic.key).collect();
        report(&collector, root.get_ref(), is_https);
        let (mistakes, warned) = collector.into_both();
        assert!(warned.iter().all(|diagnostic| diagnostic.help.contains("chmod o-r")));
        (keys(mistakes), keys(warned))
    }

    const LITERAL: &str = r#"
[system]
secret-key = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
[database]
url = "postgres://jackfield:hunter2@db/jackfield"
[slack]
client-id = "1.2"
client-secret = "hush"
signing-secret = { env = "SLACK_SIGNING_SECRET" }
token-url = "https://slack.com/api/oauth.v2.access"
[providers.github]
client-secret = { file = "/run/secrets/github" }
token-request = "json"
[providers.acme]
client-secret = ""
[[endpoints]]
secret = "whsec_x"
"#;

    #[test]
    fn literal_secrets_are_told_where_others_may_read_them() {
        let warned =
            ["system.secret-key", "database.url", "slack.client-secret", "endpoints[0].secret"].map(str::to_owned);
        assert_eq!(told(LITERAL, 0o644, false), (vec![], warned.to_vec()));
        assert_eq!(told(LITERAL, 0o644, true), (vec![warned[0].clone()], warned[1..].to_vec()));
        for mode in [0o600, 0o640] {
            assert_eq!(told(LITERAL, mode, true), (vec![], vec![]), "{mode:o}");
        }
    }
}
