//! The name of a declared provider, as people read it.

use jackfield_plugin_abi::envelope::State;

/// The name in the declaration's table, or the id with a capital.
pub(super) fn display_name(id: &str, table: &State) -> String {
    let declared = table.get("name").and_then(|name| name.as_str()).filter(|name| !name.is_empty());
    declared.map_or_else(|| capitalized(id), str::to_owned)
}

fn capitalized(id: &str) -> String {
    let mut letters = id.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
