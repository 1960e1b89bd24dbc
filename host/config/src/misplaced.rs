//! Where a key belongs that stands in the wrong place.

use std::collections::BTreeSet;

use super::{
    diagnostic::nearest,
    sections::{FEATURES, PLUGIN_KEYS, SECTION_KEYS, SECTIONS},
};

/// Options that many providers have. They stand in the table of the provider.
const PROVIDER_OPTIONS: [&str; 17] = [
    "account",
    "api-url",
    "authorize-parameters",
    "authorize-url",
    "client-authentication",
    "client-id",
    "client-secret",
    "icon",
    "issuer",
    "pkce",
    "private-key",
    "revocation-url",
    "scopes",
    "signing-secret",
    "token-url",
    "user-scopes",
    "verification-token",
];

/// Where a key of the host belongs, in words: above the first table, or into a section. `None` for
/// a key that the host does not know.
#[must_use]
pub fn place_of(key: &str) -> Option<String> {
    if key == SECTIONS[0] {
        return Some("it belongs above the first table of the file".to_owned());
    }
    let mut places: Vec<String> = Vec::new();
    places.extend(SECTION_KEYS.iter().filter(|(_, keys)| keys.contains(&key)).map(|(name, _)| format!("[{name}]")));
    places.extend(FEATURES.iter().any(|(feature, _)| *feature == key).then(|| "[features]".to_owned()));
    places.extend(PLUGIN_KEYS.contains(&key).then(|| "[plugins.NAME]".to_owned()));
    (!places.is_empty()).then(|| format!("it belongs into {}", places.join(" or ")))
}

/// Help for an unknown key of a section, or of the top of the file where that is empty. `known` are
/// the keys of that place.
pub(super) fn help_for(section: &str, key: &str, known: &BTreeSet<&str>) -> String {
    // Keys of [plugins.NAME] stand in [plugins] as well, where that has them.
    let is_here = known.contains(key);
    if let Some(place) = place_of(key).filter(|_| !is_here) {
        return place;
    }
    let entry = section.strip_prefix("plugins.");
    if PROVIDER_OPTIONS.contains(&key) {
        return match entry {
            Some(entry) => {
                format!("it is an option of the provider and belongs into its own table, [{}]", id_of(entry))
            }
            None => "it is an option of a provider and belongs into its table, like [slack] or [providers.github]"
                .to_owned(),
        };
    }
    if let Some(near) = nearest(key, known.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    if let Some((near, place)) = nearest(key, all_keys()).and_then(|near| Some((near, place_of(near)?))) {
        return format!("did you mean `{near}`? {place}");
    }
    let known = known.iter().copied().collect::<Vec<_>>().join(", ");
    match entry {
        Some(entry) => {
            format!(
                "if it is an option of the provider, it belongs into [{}]; otherwise remove it; known here: {known}",
                id_of(entry)
            )
        }
        None => format!("remove it; known here: {known}"),
    }
}

/// The provider that a plugin most likely has, by its entry of `default-integrations`.
fn id_of(entry: &str) -> String {
    let file = entry.rsplit('/').next().unwrap_or(entry);
    let name = file.strip_suffix(".so").map_or(file, |name| name.strip_prefix("lib").unwrap_or(name));
    name.replace('_', "-")
}

fn all_keys() -> impl Iterator<Item = &'static str> {
    let sections = SECTION_KEYS.iter().flat_map(|(_, keys)| keys.iter().copied());
    sections.chain(PLUGIN_KEYS).chain([SECTIONS[0]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_wrong_place_is_sent_to_the_right_one() {
        let system = ["control", "listen", "secret-key", "trusted-proxies", "url-prefix"];
        for (section, key, known, help) in [
            ("system", "default-integrations", &system[..], "it belongs above the first table of the file"),
            ("system", "lissten", &system, "did you mean `listen`?"),
            ("system", "url", &system, "it belongs into [database]"),
            ("", "url-prefix", &SECTIONS, "it belongs into [system]"),
            ("", "allow-private", &SECTIONS, "it belongs into [http]"),
            ("", "on-failure", &SECTIONS, "it belongs into [plugins]"),
            ("", "hosts", &SECTIONS, "it belongs into [plugins.NAME]"),
            ("", "deadline", &SECTIONS, "it belongs into [plugins] or [plugins.NAME]"),
            ("", "integrations:shared", &SECTIONS, "it belongs into [features]"),
            ("", "url-prefx", &SECTIONS, "did you mean `url-prefix`? it belongs into [system]"),
            (
                "",
                "client-id",
                &SECTIONS,
                "it is an option of a provider and belongs into its table, like [slack] or [providers.github]",
            ),
            (
                "plugins.slack",
                "client-id",
                &PLUGIN_KEYS,
                "it is an option of the provider and belongs into its own table, [slack]",
            ),
            (
                "plugins.plugins/libgithub_app.so",
                "scopes",
                &PLUGIN_KEYS,
                "it is an option of the provider and belongs into its own table, [github-app]",
            ),
            ("plugins.slack", "deadlin", &PLUGIN_KEYS, "did you mean `deadline`?"),
            (
                "plugins.slack",
                "colour",
                &["hosts"],
                "if it is an option of the provider, it belongs into [slack]; otherwise remove it; known here: hosts",
            ),
            ("proxy", "timeout", &["idle-timeout"], "it belongs into [http]"),
            ("http", "colour", &["timeout"], "remove it; known here: timeout"),
        ] {
            assert_eq!(help_for(section, key, &known.iter().copied().collect()), help, "{section} {key}");
        }
    }

    #[test]
    fn the_manual_has_each_key_where_it_belongs() {
        let manual = include_str!("../../../config/jackfield.toml");
        let table: toml::Table = toml::from_str(manual).expect("the manual is TOML");
        for (section, keys) in table.iter().filter_map(|(name, value)| Some((name, value.as_table()?))) {
            for key in keys.keys() {
                let place = place_of(key).unwrap_or_else(|| panic!("{section}.{key} is not known here"));
                assert!(place.contains(&format!("[{section}]")), "{section}.{key}: {place}");
            }
        }
    }
}
