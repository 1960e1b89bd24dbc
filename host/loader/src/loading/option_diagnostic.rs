//! What a plugin says of an option, with the option's place in the configuration file.

use jackfield_config::{Diagnostic, ProviderOptions, Settings, nearest};
use jackfield_plugin_abi::envelope::OptionDiagnostic;

/// The diagnostic in terms of the file. `table` is the provider's table there.
pub(super) fn option_diagnostic(
    settings: &Settings,
    table: &str,
    options: &ProviderOptions,
    wrong: &OptionDiagnostic,
) -> Diagnostic {
    let help = match nearest(&wrong.key, wrong.known.iter().map(String::as_str)) {
        _ if !wrong.help.is_empty() => wrong.help.clone(),
        Some(near) => format!("did you mean `{near}`?"),
        None if wrong.known.is_empty() => format!("correct the value, see the documentation of `{table}`"),
        None => format!("remove it; the options are {}", wrong.known.join(", ")),
    };
    let key = if wrong.key.is_empty() { table.to_owned() } else { format!("{table}.{}", wrong.key) };
    settings.diagnostic(&key, Some(options.line_of(&wrong.key)), wrong.message.clone(), help)
}
