//! What a plugin says of an option, with the option's place in the configuration file.

use jackfield_config::{Diagnostic, ProviderOptions, Settings, nearest, place_of};
use jackfield_plugin_abi::envelope::OptionDiagnostic;

use super::serde_words::{Translated, translated};

/// The diagnostic in terms of the file. `table` is the provider's table there.
pub(super) fn option_diagnostic(
    settings: &Settings,
    table: &str,
    options: &ProviderOptions,
    wrong: &OptionDiagnostic,
) -> Diagnostic {
    let Translated { message, help } = translated(&wrong.message);
    let help = match help {
        _ if !wrong.help.is_empty() => wrong.help.clone(),
        Some(help) => help,
        None if wrong.known.is_empty() => format!("correct the value, see the documentation of `{table}`"),
        None => help_for_unknown(settings, table, wrong),
    };
    let key = if wrong.key.is_empty() { table.to_owned() } else { format!("{table}.{}", wrong.key) };
    settings.diagnostic(&key, Some(options.line_of(&wrong.key)), message, help)
}

/// A key of the host's own stands below the provider's table by mistake: each key belongs to the
/// table above it.
fn help_for_unknown(settings: &Settings, table: &str, wrong: &OptionDiagnostic) -> String {
    if let Some(near) = nearest(&wrong.key, wrong.known.iter().map(String::as_str)) {
        return format!("did you mean `{near}`?");
    }
    match place_of(&wrong.key) {
        Some(place) => place.replace("[plugins.NAME]", &format!("[plugins.{}]", entry_of(settings, table))),
        None => format!("remove it; the options are {}", wrong.known.join(", ")),
    }
}

/// The entry under which the provider's plugin most likely is listed.
fn entry_of<'a>(settings: &'a Settings, table: &'a str) -> &'a str {
    let listed = settings.default_integrations.iter().map(|listed| listed.text.as_str());
    let name = |entry: &str| entry.replace('_', "-");
    listed
        .clone()
        .find(|entry| name(entry) == table || name(entry).ends_with(&format!("lib{table}.so")))
        .unwrap_or("NAME")
}
