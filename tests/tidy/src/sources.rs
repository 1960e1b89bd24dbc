//! The files of the repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

/// The folder of the repository.
///
/// # Panics
/// When this package is moved out of `tests/`.
#[must_use]
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    tests.and_then(Path::parent).expect("this package is a folder of tests/").to_owned()
}

/// Every Rust file below a folder, with its path from the root and its text, by path.
///
/// # Errors
/// When a file cannot be read.
pub fn sources(below: &str) -> Result<Vec<(String, String)>> {
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

/// Whether a file holds tests and nothing else.
pub(crate) fn is_test(file: &str) -> bool {
    file.starts_with("tests/tests/")
        || file.contains("/tests/")
        || file.ends_with("tests.rs")
        || file.contains("/testing")
}

/// All files that house rules are for. A released copy stays as it was released.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn ours() -> Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for folder in ["host", "plugin-api", "plugins", "tests"] {
        all.extend(sources(folder)?);
    }
    all.retain(|(file, _)| !file.starts_with("tests/released/") || file.contains("/example/"));
    Ok(all)
}

/// A file without its unit tests and its comments. What stands below the tests still counts:
/// rustfmt ends them with `}` at the margin.
#[must_use]
pub fn code(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unit_tests_and_comments_are_left_out() {
        let text = "use a;\n// crate::web\n#[cfg(test)]\nmod tests {\n    x.unwrap();\n}\n\nfn below() {\n}";
        assert_eq!(code(text), "use a;\n\nfn below() {\n}");
    }
}
