//! What holds for each file by itself.

use anyhow::Result;

use crate::sources::{code, is_test, ours};

/// Files of more lines of code than this, without tests.
///
/// # Errors
/// When a file cannot be read.
pub fn too_long(most: usize) -> Result<Vec<String>> {
    let long = ours()?.into_iter().filter(|(file, _)| !is_test(file));
    let long = long.map(|(file, text)| (file, code(&text).lines().count())).filter(|(_, lines)| *lines > most);
    Ok(long.map(|(file, lines)| format!("{file} has {lines} lines: split it along what it says")).collect())
}

/// Files that do not open with what they are for, or whose name says nothing.
///
/// # Errors
/// When a file cannot be read.
pub fn without_purpose() -> Result<Vec<String>> {
    let nameless = ["util", "utils", "core", "common", "helper", "helpers", "misc"];
    let mut wrong = Vec::new();
    for (file, text) in ours()? {
        if !text.starts_with("//!") && !text.starts_with("#![doc") {
            wrong.push(format!("{file} does not open with what it is for"));
        }
        if file.trim_end_matches(".rs").split('/').any(|part| nameless.contains(&part)) {
            wrong.push(format!("{file}: name the thing"));
        }
    }
    Ok(wrong)
}

/// Work that was left open, and `unwrap` outside tests.
///
/// # Errors
/// When a file cannot be read.
pub fn loose_ends() -> Result<Vec<String>> {
    let open = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("FIX", "ME"), concat!("dbg", "!(")];
    let mut wrong = Vec::new();
    for (file, text) in ours()? {
        wrong.extend(open.iter().filter(|word| text.contains(**word)).map(|word| format!("{file} has {word}")));
        if code(&text).contains(concat!(".unwrap", "()")) && !is_test(&file) {
            wrong.push(format!("{file} unwraps: say with expect which assumption broke"));
        }
    }
    Ok(wrong)
}

/// `unsafe` and the crates of the plugin boundary outside the files that may have them.
///
/// # Errors
/// When a file cannot be read.
pub fn unsafe_or_abi(may_be_unsafe: &[&str], may_load: &[&str]) -> Result<Vec<String>> {
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
        if has("libloading") && !may_load.contains(&file.as_str()) {
            wrong.push(format!("{file} knows libloading"));
        }
    }
    Ok(wrong)
}
