//! What `--log` says, before it is used: a misspelt word there logs nothing, or too much.

use jackfield_config::nearest;

/// The levels, by their names.
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// What most people want to see more of: our own packages, and the libraries below them.
const TARGETS: [&str; 13] = [
    "jackfield",
    "jackfield_config",
    "jackfield_loader",
    "jackfield_oauth2",
    "jackfield_outbound",
    "jackfield_server",
    "jackfield_services",
    "jackfield_store",
    "axum",
    "diesel",
    "hyper",
    "reqwest",
    "tower_http",
];

/// What is likely misspelt, each with help.
pub(super) fn suspicious(levels: &str) -> Vec<String> {
    levels.split(',').map(str::trim).filter_map(directive).collect()
}

fn directive(text: &str) -> Option<String> {
    let target = match text.split_once('=') {
        Some((target, _)) => target,
        // A word alone is a level, and else a target with all of its lines.
        None if LEVELS.contains(&text.to_lowercase().as_str()) => return None,
        None => text,
    };
    let package = target.split("::").next().unwrap_or(target);
    if package.is_empty() || package.contains('[') || TARGETS.contains(&package) {
        return None;
    }
    let words = TARGETS.iter().chain(if text.contains('=') { &[][..] } else { &LEVELS[..] });
    let near = nearest(package, words.copied())?;
    Some(format!("--log: nothing is logged under `{package}`\n  help: did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_or_target_is_told() {
        for (levels, near) in [
            ("info,jackfeild=debug", Some("jackfield")),
            ("jackfield_sevices::setup=trace", Some("jackfield_services")),
            ("inof", Some("info")),
            ("warn,debgu", Some("debug")),
            ("info", None),
            ("INFO,jackfield=debug,hyper=warn", None),
            ("info,jackfield::cli=debug,my_plugin=debug", None),
            ("", None),
        ] {
            let told = suspicious(levels).join("\n");
            assert_eq!(told.split('`').nth(3), near, "{levels}: {told}");
        }
    }
}
