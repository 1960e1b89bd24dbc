//! From what the operator listed to a file.

use std::path::{Path, PathBuf};

use super::Refusal;

/// Whether an entry is a path to a library rather than a name to look for.
fn is_path(entry: &str) -> bool {
    entry.contains('/') || has_library_ending(entry)
}

fn has_library_ending(entry: &str) -> bool {
    Path::new(entry).extension().is_some_and(|ending| ending == std::env::consts::DLL_EXTENSION)
}

/// The file an entry of `default-integrations` stands for: a path as it is, a name as `lib<name>.so` or `<name>.so` in the first of
/// the folders that has it. Dashes in a name also match underscores, since that is what cargo makes of them.
pub(super) fn find(entry: &str, folders: &[PathBuf]) -> Result<PathBuf, Refusal> {
    if is_path(entry) {
        return Ok(PathBuf::from(entry));
    }
    let looked: Vec<PathBuf> = folders.iter().flat_map(|folder| candidates(folder, entry)).collect();
    match looked.iter().position(|file| file.exists()) {
        Some(at) => Ok(looked[at].clone()),
        None => Err(Refusal::NotFound { name: entry.to_owned(), looked }),
    }
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

    #[test]
    fn a_missing_name_says_where_it_was_looked_for() {
        let refusal = find("acme", &["/nowhere".into()]).expect_err("there is no such folder");
        insta::assert_snapshot!(
            refusal,
            @"no plugin named `acme`: looked for /nowhere/libacme.so, /nowhere/acme.so"
        );
    }
}
