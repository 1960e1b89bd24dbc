//! `[[endpoints]]`: where programs are told of events, as the operator has written it.

use std::collections::BTreeSet;

use secrecy::SecretString;
use toml::de::DeTable;

use super::{config_value::ConfigValue, diagnostic_collector::DiagnosticCollector, table_reader::TableReader};

/// One of `[[endpoints]]`. What its texts mean is checked where endpoints are made.
#[derive(Clone, Debug)]
pub struct ConfiguredEndpoint {
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

/// The name of the list in the file.
const NAME: &str = "endpoints";

/// Reads the list, also after a mistake.
pub(super) fn read<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) -> Vec<ConfiguredEndpoint> {
    let Some(value) = root.get(NAME) else { return Vec::new() };
    let list = ConfigValue::new(collector, NAME.to_owned(), value);
    let mut known = BTreeSet::new();
    let mut found = Vec::new();
    for item in list.items().unwrap_or_default() {
        let Some(endpoint) = endpoint(&item) else { continue };
        if known.insert((endpoint.organization.clone(), endpoint.url.clone())) {
            found.push(endpoint);
        } else {
            item.report("this organization has an endpoint with this URL already", "remove one of them");
        }
    }
    found
}

fn endpoint(item: &ConfigValue<'_>) -> Option<ConfiguredEndpoint> {
    let mut table = TableReader::of(item);
    let organization = table.take("organization");
    let url = table.take("url");
    let types = table.take("types").and_then(|value| texts(&value));
    let providers = table.take("providers").and_then(|value| texts(&value));
    let secret = table.take("secret").and_then(|value| value.text());
    table.finish();
    if item.value.as_table().is_some() {
        for (name, value) in [("organization", &organization), ("url", &url)] {
            if value.is_none() {
                item.report(format!("`{name}` is missing"), "write organization = \"SLUG\" and url = \"https://…\"");
            }
        }
    }
    Some(ConfiguredEndpoint {
        organization: organization?.text()?,
        url: url?.text()?,
        types: types.unwrap_or_default(),
        providers: providers.unwrap_or_default(),
        secret: secret.map(SecretString::from),
    })
}

fn texts(value: &ConfigValue<'_>) -> Option<Vec<String>> {
    Some(value.texts()?.into_iter().map(|(text, _)| text).collect())
}
