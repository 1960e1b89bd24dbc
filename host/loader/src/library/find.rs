//! From what the operator listed to a file.

use std::path::{Component, Path, PathBuf};

use jackfield_config::nearest;

use crate::refusal::Refusal;

/// Whether an entry is a path to a library rather than a name to look for.
fn is_path(entry: &str) -> bool {
    entry.contains('/') || has_library_ending(entry)
}

fn has_library_ending(entry: &str) -> bool {
    Path::new(entry).extension().is_some_and(|ending| ending == std::env::consts::DLL_EXTENSION)
}

/// The file of an entry of `default-integrations`: a path as it is, a name as `lib<name>.so` or
/// `<name>.so` in the first folder that has it. Dashes in a name also match underscores, because
/// cargo writes underscores.
pub(crate) fn find(entry: &str, folders: &[PathBuf]) -> Result<PathBuf, Refusal> {
    if is_path(entry) {
        return checked_path(entry);
    }
    if !is_name(entry) {
        return Err(Refusal::NotAName { name: entry.to_owned() });
    }
    let looked: Vec<PathBuf> = folders.iter().flat_map(|folder| candidates(folder, entry)).collect();
    match looked.iter().position(|file| file.exists()) {
        Some(at) => Ok(looked[at].clone()),
        None => {
            let missing = folders.iter().filter(|folder| !folder.is_dir()).cloned().collect();
            Err(Refusal::NotFound { name: entry.to_owned(), looked, missing, near: nearest_name(entry, folders) })
        }
    }
}

/// The name of the library there that was likely meant. Capitals are not compared.
fn nearest_name(entry: &str, folders: &[PathBuf]) -> Option<String> {
    let files = folders.iter().filter_map(|folder| folder.read_dir().ok()).flatten().flatten();
    let mut names: Vec<String> = files.filter_map(|file| name_of(&file.file_name().to_string_lossy())).collect();
    names.sort();
    let entry = entry.to_lowercase().replace('-', "_");
    let same = names.iter().find(|name| name.to_lowercase() == entry).map(String::as_str);
    same.or_else(|| nearest(&entry, names.iter().map(String::as_str))).map(str::to_owned)
}

/// The name by which a library would be listed.
fn name_of(file: &str) -> Option<String> {
    let name = file.strip_suffix(std::env::consts::DLL_SUFFIX)?;
    let name = name.strip_prefix(std::env::consts::DLL_PREFIX).unwrap_or(name);
    is_name(name).then(|| name.to_owned())
}

/// A path goes up nowhere, and no NUL cuts it short.
fn checked_path(entry: &str) -> Result<PathBuf, Refusal> {
    let path = PathBuf::from(entry);
    let found = match path.components().any(|part| part == Component::ParentDir) {
        true => "the part `..`",
        false if entry.contains('\0') => "a NUL character",
        false => return Ok(path),
    };
    Err(Refusal::NotAPath { entry: entry.to_owned(), found })
}

/// Longest name. File systems allow somewhat more.
const MAX_NAME_LENGTH: usize = 64;

/// A name becomes part of a file name, so it holds no part of a path.
fn is_name(entry: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_NAME_LENGTH).contains(&entry.len()) && !entry.starts_with('.') && entry.bytes().all(is_word)
}

fn candidates(folder: &Path, name: &str) -> Vec<PathBuf> {
    let (prefix, ending) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let mut files = vec![folder.join(format!("{prefix}{name}{ending}")), folder.join(format!("{name}{ending}"))];
    if name.contains('-') {
        files.push(folder.join(format!("{prefix}{}{ending}", name.replace('-', "_"))));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_for_in_each_folder_in_order() {
        let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        let paths: Vec<_> = folders.iter().map(|folder| folder.path().to_owned()).collect();
        for (file, entry) in [("libacme.so", "acme"), ("other.so", "other"), ("libmy_plugin.so", "my-plugin")] {
            let path = paths[1].join(file);
            std::fs::write(&path, "").expect("the folder can be written");
            assert_eq!(find(entry, &paths).expect("it is there"), path);
        }
        let first = paths[0].join("libacme.so");
        std::fs::write(&first, "").expect("the folder can be written");
        assert_eq!(find("acme", &paths).expect("it is there twice"), first);
    }

    #[test]
    fn a_path_is_taken_as_it_is() {
        for path in ["./libacme.so", "/opt/acme.so", "acme.so", "sub/acme"] {
            assert_eq!(find(path, &[]).expect("a path needs no search"), PathBuf::from(path));
        }
    }

    /// Security checklist, point 53.
    #[test]
    fn a_name_with_anything_of_a_path_in_it_is_refused() {
        let long = "n".repeat(65);
        for name in ["..", ".hidden", "..\\acme", "acme\0", "ac me", "acmé", "~", "$HOME", "a:b", "a\nb", &long] {
            let refusal = find(name, &["/".into()]).expect_err("it is no name");
            assert!(matches!(refusal, Refusal::NotAName { .. }), "{refusal}");
        }
        for name in ["acme", "Acme-2", "a.b_c", &long[..64]] {
            let refusal = find(name, &["/nowhere".into()]).expect_err("there is no such folder");
            assert!(matches!(refusal, Refusal::NotFound { .. }), "{refusal}");
        }
        insta::assert_snapshot!(
            find("a\0b", &[]).expect_err("it is no name"),
            @r#"not a plugin's name: found "a\0b", wanted 1 to 64 of A-Z, a-z, 0-9, `.`, `-` and `_`, and no dot in front"#
        );
    }

    /// Security checklist, point 53.
    #[test]
    fn a_path_that_climbs_or_ends_before_its_end_is_refused() {
        for path in ["../libacme.so", "plugins/../../acme.so", "/opt/..", "sub/../acme"] {
            let message = find(path, &[]).expect_err("it climbs").to_string();
            assert_eq!(message, format!("{path:?}: found the part `..`, wanted a path without it"));
        }
        for path in ["/opt/acme\0.so", "acme\0.so", "\0/acme"] {
            let message = find(path, &[]).expect_err("it holds a NUL").to_string();
            assert!(message.contains("found a NUL character"), "{message}");
        }
        assert!(find("a..b/..c", &[]).is_ok(), "two dots are `..` only alone");
    }

    #[test]
    fn a_name_with_a_typing_error_or_capitals_is_likely_another() {
        let folder = tempfile::tempdir().expect("a folder");
        for file in ["libslack.so", "libgithub_app.so", "notes.txt"] {
            std::fs::write(folder.path().join(file), "").expect("the folder can be written");
        }
        for (entry, help) in [
            ("slak", "did you mean `slack`?"),
            ("Slack", "did you mean `slack`?"),
            ("github-ap", "did you mean `github_app`?"),
            ("zendesk-plugin", "put the library there, add its folder to plugins.path, or list its path instead"),
        ] {
            let refusal = find(entry, &[folder.path().to_owned()]).expect_err("it is not there");
            assert_eq!(refusal.help(), help, "{entry}");
        }
    }

    #[test]
    fn a_missing_name_says_where_it_was_looked_for() {
        let refusal = find("acme", &["/nowhere".into()]).expect_err("there is no such folder");
        insta::assert_snapshot!(
            refusal,
            @"no plugin named `acme`: looked for /nowhere/libacme.so, /nowhere/acme.so; there is no folder /nowhere"
        );
        assert_eq!(refusal.help(), "create the folder, or correct plugins.path");
    }
}
