//! The providers that an operator declares instead of loading a plugin, `[providers.NAME]` in the file.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::{
    ProviderOptions, Settings,
    document::{Node, Notes},
};

/// Name of the section.
pub(super) const SECTION: &str = "providers";

/// Keys that are called after the token, or that are read from a file, and hold no secret.
const PUBLIC: [&str; 4] = ["icon", "name", "token-path", "token-request"];

/// Reads the tables; what stands in them is judged where they become providers, as a plugin's options are judged by the plugin.
pub(super) fn read<'a>(notes: &'a Notes, root: &'a DeTable<'a>) -> BTreeMap<String, ProviderOptions> {
    let mut providers = BTreeMap::new();
    let Some(node) = root.get(SECTION).map(|value| Node::new(notes, SECTION.to_owned(), value)) else {
        return providers;
    };
    let DeValue::Table(table) = node.value else {
        node.wrong_type("a table for each provider, [providers.NAME]");
        return providers;
    };
    for (key, value) in table {
        let id = key.get_ref().to_string();
        let provider = Node::new(notes, format!("{SECTION}.{id}"), value);
        if !is_id(&id) {
            let help = "write 1 to 64 of a-z, 0-9, - and _, and not the name of a section";
            notes.note(Some(notes.line(key.span().start)), &provider.key, "not a provider's id", help);
        } else if !matches!(provider.value, DeValue::Table(_)) {
            provider.wrong_type("a table, [providers.NAME]");
        } else if let Some(options) = ProviderOptions::read(&provider) {
            providers.insert(id, options.with_public(&PUBLIC));
        }
    }
    providers
}

fn is_id(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(is_word) && !Settings::is_section(name)
}
