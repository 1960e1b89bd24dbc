//! `[providers.NAME]`: the providers that an operator declares instead of loading a plugin.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::{config_value::ConfigValue, diagnostic_collector::DiagnosticCollector, options::ProviderOptions, sections};

/// Keys whose names look like a secret's, or that may be references, but that hold none.
const PUBLIC: [&str; 4] = ["icon", "name", "token-path", "token-request"];

/// Reads the tables. What they hold is checked where they become providers, as a plugin checks its
/// own options.
pub(super) fn read<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) -> BTreeMap<String, ProviderOptions> {
    let mut providers = BTreeMap::new();
    let Some(section) = root.get(sections::PROVIDERS) else { return providers };
    let section = ConfigValue::new(collector, sections::PROVIDERS.to_owned(), section);
    let DeValue::Table(table) = section.value else {
        section.report_wrong_type("a table for each provider, [providers.NAME]");
        return providers;
    };
    for (key, value) in table {
        let id = key.get_ref().to_string();
        let provider = section.child(&id, value);
        if !is_provider_id(&id) {
            let help = "write 1 to 64 of a-z, 0-9, - and _, and not the name of a section";
            collector.report(Some(collector.line(key.span().start)), &provider.key, "not a provider's id", help);
        } else if !matches!(provider.value, DeValue::Table(_)) {
            provider.report_wrong_type("a table, [providers.NAME]");
        } else if let Some(options) = ProviderOptions::read(&provider) {
            providers.insert(id, options.with_public(&PUBLIC));
        }
    }
    providers
}

fn is_provider_id(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(is_allowed) && !sections::is_section(name)
}
