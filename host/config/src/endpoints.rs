//! `[[endpoints]]`: where programs are told of events, as the operator has written it.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::SecretString;
use toml::de::DeTable;
use url::Url;

use super::{
    config_value::ConfigValue, diagnostic::nearest, diagnostic_collector::DiagnosticCollector,
    table_reader::TableReader,
};

/// The types of events that an endpoint can ask for.
pub const EVENT_TYPES: [&str; 13] = [
    "integration.connected",
    "integration.reconnected",
    "integration.needs_reauthentication",
    "integration.recovered",
    "integration.removed",
    "grant.scopes_changed",
    "revocation.done",
    "revocation.failed",
    "connect_session.completed",
    "connect_session.failed",
    "connect_session.expired",
    "provider.event",
    "endpoint.disabled",
];

/// One of `[[endpoints]]`. What its texts mean is checked where endpoints are made.
#[derive(Clone, Debug)]
pub struct ConfiguredEndpoint {
    /// Its place in the list, from 0.
    pub index: usize,
    /// Slug of the organization.
    pub organization: String,
    /// Where it is.
    pub url: String,
    /// The kinds of events that it gets; empty: all.
    pub types: Vec<String>,
    /// Ids of the providers whose events it gets; empty: all.
    pub providers: Vec<String>,
    /// `whsec_…`; `None`: the host makes one.
    pub secret: Option<SecretString>,
}

impl ConfiguredEndpoint {
    /// The dotted key of its organization.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{NAME}[{}].organization", self.index)
    }
}

/// The name of the list in the file.
const NAME: &str = "endpoints";

/// Reads the list, also after a mistake.
pub(super) fn read<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) -> Vec<ConfiguredEndpoint> {
    let Some(value) = root.get(NAME) else { return Vec::new() };
    let list = ConfigValue::new(collector, NAME.to_owned(), value);
    let mut known = BTreeSet::new();
    let mut found = Vec::new();
    for (index, item) in list.items().unwrap_or_default().into_iter().enumerate() {
        let Some(endpoint) = endpoint(index, &item) else { continue };
        if known.insert((endpoint.organization.clone(), endpoint.url.clone())) {
            found.push(endpoint);
        } else {
            item.report("this organization has an endpoint with this URL already", "remove one of them");
        }
    }
    found
}

fn endpoint(index: usize, item: &ConfigValue<'_>) -> Option<ConfiguredEndpoint> {
    let mut table = TableReader::of(item);
    let organization = table.take("organization");
    let url = table.take("url");
    let types = table.take("types").and_then(|value| checked_texts(&value, check_type));
    let providers = table.take("providers").and_then(|value| checked_texts(&value, check_provider));
    let secret = table.take("secret").and_then(|value| secret(&value));
    table.finish();
    if item.value.as_table().is_some() {
        for (name, value) in [("organization", &organization), ("url", &url)] {
            if value.is_none() {
                item.report(format!("`{name}` is missing"), "write organization = \"SLUG\" and url = \"https://…\"");
            }
        }
    }
    Some(ConfiguredEndpoint {
        index,
        organization: organization?.text()?,
        url: checked_url(&url?)?,
        types: types.unwrap_or_default(),
        providers: providers.unwrap_or_default(),
        secret,
    })
}

fn checked_texts(value: &ConfigValue<'_>, check: fn(&str, &ConfigValue<'_>)) -> Option<Vec<String>> {
    let texts = value.texts()?;
    texts.iter().for_each(|(text, item)| check(text, item));
    Some(texts.into_iter().map(|(text, _)| text).collect())
}

fn check_type(text: &str, item: &ConfigValue<'_>) {
    if EVENT_TYPES.contains(&text) {
        return;
    }
    let help = match nearest(text, EVENT_TYPES) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("write some of {}", EVENT_TYPES.join(", ")),
    };
    item.report(format!("no type of events: `{text}`"), help);
}

fn check_provider(text: &str, item: &ConfigValue<'_>) {
    if text.is_empty() || text.contains(',') {
        item.report("not the id of a provider", "write it like \"slack\"");
    }
}

/// What the URL may lead to is checked at each delivery, by the address that its name has then.
fn checked_url(value: &ConfigValue<'_>) -> Option<String> {
    let text = value.text()?;
    let wrong = match Url::parse(&text) {
        Err(_) => Some("not an absolute URL"),
        Ok(url) if !matches!(url.scheme(), "https" | "http") => Some("not an https URL"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Some("a user name or password stands in it")
        }
        Ok(url) if url.fragment().is_some() => Some("it has a fragment"),
        Ok(_) => None,
    };
    if let Some(wrong) = wrong {
        value.report(wrong, "write it like \"https://crm.example/events\": deliveries are signed");
        return None;
    }
    Some(text)
}

/// Of Standard Webhooks: 24 to 64 bytes.
fn secret(value: &ConfigValue<'_>) -> Option<SecretString> {
    let text = value.text()?;
    let bytes = text.strip_prefix("whsec_").and_then(|encoded| STANDARD.decode(encoded).ok());
    if !bytes.is_some_and(|bytes| (24..=64).contains(&bytes.len())) {
        value.report(
            "not a secret of Standard Webhooks",
            "write whsec_ and 24 to 64 random bytes in base64, as `echo whsec_$(openssl rand -base64 32)` prints it",
        );
        return None;
    }
    Some(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(text: &str) -> (usize, Vec<String>) {
        let collector = DiagnosticCollector::new(std::path::Path::new("jackfield.toml"), text);
        let (root, _) = DeTable::parse_recoverable(text);
        let found = read(&collector, root.get_ref()).len();
        let (wrong, _) = collector.into_both();
        (found, wrong.iter().map(|one| format!("{} {}: {}", one.key, one.message, one.help)).collect())
    }

    #[test]
    fn each_mistake_is_named_with_its_key() {
        let url = "organization = \"acme\"\nurl = \"https://crm.example/\"\n";
        for (text, found, expected) in [
            (url, 1, ""),
            ("url = \"https://crm.example/\"\n", 0, "`organization` is missing"),
            ("organization = \"acme\"\nurl = \"crm.example\"\n", 0, "endpoints[0].url not an absolute URL"),
            ("organization = \"acme\"\nurl = \"https://a:b@crm.example/\"\n", 0, "a user name or password"),
            ("organization = \"acme\"\nurl = \"https://crm.example/#x\"\n", 0, "it has a fragment"),
        ] {
            let (read, said) = reported(&format!("[[endpoints]]\n{text}"));
            assert_eq!((read, said.is_empty()), (found, expected.is_empty()), "{text}: {said:?}");
            assert!(said.iter().all(|words| words.contains(expected)), "{text}: {said:?}");
        }
        for (line, expected) in [
            ("types = [\"integration.connect\"]", "did you mean integration.connected?"),
            ("types = [\"all\"]", "write some of integration.connected, "),
            ("providers = [\"a,b\"]", "not the id of a provider"),
            ("secret = \"whsec_short\"", "not a secret of Standard Webhooks"),
            ("secrets = \"x\"", "unknown key"),
        ] {
            let (_, said) = reported(&format!("[[endpoints]]\n{url}{line}\n"));
            assert!(said.len() == 1 && said[0].contains(expected), "{line}: {said:?}");
        }
        let (read, said) = reported(&format!("[[endpoints]]\n{url}[[endpoints]]\n{url}"));
        assert!(read == 1 && said[0].contains("has an endpoint with this URL already"), "{said:?}");
    }
}
