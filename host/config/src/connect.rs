//! `[[connect.issuers]]`: the issuers where people prove who they are, for connect sessions with
//! the proof `log-in`.

use secrecy::SecretString;
use toml::de::{DeTable, DeValue};
use url::Url;

use super::{config_value::ConfigValue, diagnostic_collector::DiagnosticCollector, table_reader::TableReader};

/// An issuer of OpenID Connect at which the host is a client.
#[derive(Clone, Debug)]
pub struct ConnectIssuer {
    /// Its identifier, an https URL (OpenID Connect Discovery 1.0).
    pub issuer: String,
    /// Id of the client.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretString,
}

/// The name of the section.
const NAME: &str = "connect";

/// Reads the section, also after a mistake.
pub(super) fn read<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) -> Vec<ConnectIssuer> {
    let mut section = TableReader::section(collector, NAME, root);
    let list = section.take("issuers");
    section.finish();
    let Some(list) = list else { return Vec::new() };
    if !matches!(list.value, DeValue::Array(_)) {
        list.report_wrong_type("[[connect.issuers]], with double brackets");
        return Vec::new();
    }
    let mut found: Vec<ConnectIssuer> = Vec::new();
    for item in list.items().unwrap_or_default() {
        let Some(issuer) = issuer(&item) else { continue };
        if found.iter().any(|known| known.issuer == issuer.issuer) {
            item.report("this issuer is listed twice", "remove one of them");
        } else {
            found.push(issuer);
        }
    }
    found
}

fn issuer(item: &ConfigValue<'_>) -> Option<ConnectIssuer> {
    let mut table = TableReader::of(item);
    let issuer = table.take("issuer");
    let client_id = table.take("client-id");
    let client_secret = table.take("client-secret");
    table.finish();
    if item.value.as_table().is_some() {
        for (name, value) in [("issuer", &issuer), ("client-id", &client_id), ("client-secret", &client_secret)] {
            if value.is_none() {
                item.report(
                    format!("`{name}` is missing"),
                    "register Jackfield at the issuer as a client, and write what it gives you",
                );
            }
        }
    }
    Some(ConnectIssuer {
        issuer: checked(&issuer?)?,
        client_id: client_id?.text()?,
        client_secret: SecretString::from(client_secret?.text()?),
    })
}

/// Over plain http only where the operator allows that network, which is checked at each log-in.
fn checked(value: &ConfigValue<'_>) -> Option<String> {
    let text = value.text()?;
    let is_good = |url: &Url| {
        matches!(url.scheme(), "https" | "http") && url.query().is_none() && url.fragment().is_none() && url.has_host()
    };
    if Url::parse(&text).is_ok_and(|url| is_good(&url)) {
        return Some(text);
    }
    value.report("not an issuer", "write its URL, without query and fragment: \"https://login.example\"");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_named_with_its_key() {
        let good =
            "[[connect.issuers]]\nissuer = \"https://login.example\"\nclient-id = \"a\"\nclient-secret = \"b\"\n";
        for (text, found, expected) in [
            (good.to_owned(), 1, ""),
            (format!("{good}{good}"), 1, "listed twice"),
            (good.replace("client-id = \"a\"\n", ""), 0, "`client-id` is missing"),
            (good.replace("https://login.example", "login"), 0, "connect.issuers[0].issuer not an issuer"),
            (good.replace("https://login.example", "https://login.example?a"), 0, "not an issuer"),
            (good.replace("client-id", "client"), 0, "unknown key"),
            ("[connect]\nissuers = \"https://login.example\"\n".to_owned(), 0, "wrong type"),
        ] {
            let collector = DiagnosticCollector::new(std::path::Path::new("jackfield.toml"), &text);
            let (root, _) = DeTable::parse_recoverable(&text);
            let read = read(&collector, root.get_ref()).len();
            let (wrong, _) = collector.into_both();
            let said: Vec<_> = wrong.iter().map(|one| format!("{} {}", one.key, one.message)).collect();
            assert_eq!((read, said.is_empty()), (found, expected.is_empty()), "{text}: {said:?}");
            assert!(expected.is_empty() || said.iter().any(|words| words.contains(expected)), "{text}: {said:?}");
        }
    }
}
