//! Holds the shape of the house by reading its source: the floors of the host, the length of files, words that must not stand there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

/// The rooms of the host by floor. A room imports rooms of lower floors only.
const FLOORS: [&[&str]; 8] = [
    &["config", "clock", "jose", "telemetry"],
    &["store", "outbound"],
    &["plugins", "oauth2", "session", "accounts", "integrations", "keys", "audit"],
    &["grants"],
    &["pipeline", "proxy", "reload"],
    &["app"],
    &["control", "web"],
    &["main", "lib", "cli", "startup", "dev"],
];

/// Words that a room must not know.
const UNKNOWN: [(&str, &[&str]); 13] = [
    ("audit", &["axum", "diesel", "jackfield_plugin_abi"]),
    ("proxy", &["axum", "diesel", "jackfield_plugin_abi", "libloading"]),
    ("grants", &["axum", "diesel", "jackfield_plugin_abi", "libloading"]),
    ("dev", &["diesel", "jackfield_plugin_abi"]),
    ("control", &["diesel", "jackfield_plugin_abi"]),
    ("reload", &["axum", "diesel", "jackfield_plugin_abi"]),
    ("web", &["diesel", "jackfield_plugin_abi", "abi_stable", "libloading"]),
    ("pipeline", &["axum", "diesel", "jackfield_plugin_abi", "libloading"]),
    ("store", &["axum", "jackfield_plugin_abi", "tower_sessions"]),
    ("outbound", &["axum", "jackfield_plugin_abi", "diesel"]),
    ("accounts", &["axum", "diesel", "jackfield_plugin_abi"]),
    ("integrations", &["axum", "diesel", "jackfield_plugin_abi"]),
    ("keys", &["axum", "diesel", "jackfield_plugin_abi"]),
];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is a folder of the repository").to_owned()
}

/// Every Rust file below a folder, with its path from the root and its text.
pub(crate) fn sources(below: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(below)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.strip_prefix(root())?.display().to_string();
            if path.is_dir() && !name.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push((name, fs::read_to_string(path)?));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn ours() -> Result<Vec<(String, String)>> {
    let all =
        ["host", "plugin-api", "plugins", "tests"].iter().map(|folder| sources(folder)).collect::<Result<Vec<_>>>()?;
    // What was released is as it was: house rules that come later do not reach back.
    let is_copy = |file: &str| file.starts_with("tests/released/") && !file.contains("/example/");
    Ok(all.into_iter().flatten().filter(|(file, _)| !is_copy(file)).collect())
}

/// A file without its unit tests and comments. What stands below the tests still counts: rustfmt ends them with `}` at the margin.
fn code(text: &str) -> String {
    let mut kept = Vec::new();
    let mut in_tests = false;
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        let opens = line.starts_with("mod ") && line.ends_with('{') && kept.last() == Some(&"#[cfg(test)]");
        if opens {
            kept.pop();
        }
        in_tests |= opens;
        if !in_tests {
            kept.push(line);
        }
        in_tests &= line != "}";
    }
    kept.join("\n")
}

#[test]
fn only_unit_tests_and_comments_are_left_out() {
    let text = "use a;\n// crate::web\n#[cfg(test)]\nmod tests {\n    x.unwrap();\n}\n\nfn below() {\n}";
    assert_eq!(code(text), "use a;\n\nfn below() {\n}");
}

/// How many `super::` lead from a file of the host to its root: one for a room's `mod.rs`, two for a file in a room.
fn depth(file: &str) -> usize {
    let path = file.trim_start_matches("host/src/").trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').count()
}

/// A file whose way to the root of the crate by `super::` is written `crate::`, so that one reader sees both.
fn from_the_root(file: &str, code: &str) -> String {
    let up = "super::".repeat(depth(file));
    let deeper = format!("super::{up}");
    code.replace(&deeper, "\u{0}").replace(&up, "crate::").replace('\u{0}', &deeper)
}

#[test]
fn a_way_round_by_super_is_seen() {
    assert_eq!(imports(&from_the_root("host/src/store/users.rs", "use super::super::web::routes;")), ["web"]);
    assert_eq!(imports(&from_the_root("host/src/store/mod.rs", "use super::{web, app::App};")), ["web", "app"]);
    assert!(imports(&from_the_root("host/src/store/users.rs", "use super::schema;")).is_empty());
}

fn is_test(file: &str) -> bool {
    file.starts_with("tests/tests/")
        || file.contains("/tests/")
        || file.ends_with("tests.rs")
        || file.contains("/testing")
}

/// The room of a host file: its folder or its name.
fn room(file: &str) -> Option<&str> {
    let rest = file.strip_prefix("host/src/")?;
    Some(rest.split('/').next()?.trim_end_matches(".rs"))
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms that a host file names after `crate::`, in a path or in a `use` with braces.
fn imports(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => rooms.push(std::mem::take(&mut word)),
                    c if depth == 0 => word.push(c),
                    _ => {}
                }
            }
            rooms.push(word);
        } else {
            rooms.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    let first = |path: &String| path.trim().split("::").next().unwrap_or_default().trim().to_owned();
    rooms.iter().map(first).filter(|room| !room.is_empty()).collect()
}

#[test]
fn imports_are_read_out_of_both_forms() {
    let text = "use crate::{\n    accounts::{Access, Scope}, \n    app::AppHandle, \n    store::StoreError, \n};\nlet x = crate::clock::now();";
    assert_eq!(imports(text), ["accounts", "app", "store", "clock"]);
}

#[test]
fn a_room_imports_rooms_of_lower_floors_only() -> Result<()> {
    let mut wrong = Vec::new();
    for (file, text) in sources("host/src")? {
        let Some(room) = room(&file).filter(|_| !is_test(&file)) else { continue };
        let Some(own) = floor(room) else { panic!("{file}: put the room `{room}` on a floor") };
        for import in imports(&from_the_root(&file, &code(&text))) {
            match floor(&import) {
                Some(other) if import != room && other >= own && own + 1 < FLOORS.len() => {
                    wrong.push(format!("{file}: {room} imports {import}"))
                }
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn a_room_does_not_know_what_it_must_not_know() -> Result<()> {
    let mut wrong = Vec::new();
    for (file, text) in sources("host/src")? {
        let room = room(&file).filter(|_| !is_test(&file)).unwrap_or_default();
        for word in UNKNOWN.iter().filter(|(of, _)| *of == room).flat_map(|(_, words)| *words) {
            if code(&text).split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == *word) {
                wrong.push(format!("{file} knows {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn unsafe_and_the_abi_stay_in_their_rooms() -> Result<()> {
    let may_be_unsafe = [
        "plugin-api/abi/src/root.rs",
        "plugin-api/src/export.rs",
        "host/src/plugins/load.rs",
        "host/src/plugins/worker/descriptors.rs",
    ];
    let mut wrong = Vec::new();
    for (file, text) in ours()?.into_iter().filter(|(file, _)| !file.starts_with("tests/")) {
        let code = code(&text);
        let has = |word: &str| code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word);
        let is_unsafe =
            ["unsafe {", "unsafe fn", "unsafe impl", "unsafe(", "unsafe extern"].iter().any(|word| code.contains(word));
        if is_unsafe && !may_be_unsafe.contains(&file.as_str()) {
            wrong.push(format!("{file} is unsafe"));
        }
        if has("abi_stable") && !file.starts_with("plugin-api/abi/") {
            wrong.push(format!("{file} knows abi_stable"));
        }
        if has("libloading") && file != "host/src/plugins/load.rs" {
            wrong.push(format!("{file} knows libloading"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn files_are_short_open_with_what_they_are_for_and_leave_nothing_open() -> Result<()> {
    let mut wrong = Vec::new();
    for (file, text) in ours()? {
        let code = code(&text);
        let lines = code.lines().count();
        if lines > 400 && !is_test(&file) {
            wrong.push(format!("{file} has {lines} lines: split it along what it says"));
        }
        if !text.starts_with("//!") && !text.starts_with("#![doc") {
            wrong.push(format!("{file} does not open with what it is for"));
        }
        let nameless = ["util", "utils", "core", "common", "helper", "helpers", "misc"];
        if file.trim_end_matches(".rs").split('/').any(|part| nameless.contains(&part)) {
            wrong.push(format!("{file}: name the thing"));
        }
        for word in [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("FIX", "ME"), concat!("dbg", "!(")]
        {
            if text.contains(word) {
                wrong.push(format!("{file} has {word}"));
            }
        }
        if code.contains(".unwrap()") && !is_test(&file) {
            wrong.push(format!("{file} unwraps: say with expect which assumption broke"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
