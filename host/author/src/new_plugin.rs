//! `jackfield plugin new`: makes a crate to start a plugin from, whole or not at all.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use thiserror::Error;

use jackfield_loader::is_good_id;

/// Which kind of provider a new plugin begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Asks for a token in a form of its own.
    Form,
    /// Logs in by OAuth 2.0, which the host does.
    OAuth2,
}

/// Why no plugin was made. Nothing is left behind.
#[derive(Debug, Error)]
pub enum NewPluginError {
    /// The name cannot be a provider's id, or a crate's name.
    #[error("`{}` cannot be a plugin's name: {why}\n  help: use 1 to 64 of a-z, 0-9, - and _, beginning with a letter, like my-crm", .name.escape_debug())]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file or folder of that name exists.
    #[error("{} exists already, and stays as it is\n  help: take another name, or run this in another folder", .0.display())]
    Exists(PathBuf),
    /// The folder cannot be written.
    #[error("{}: {error}\n  help: run this in a folder that you may write", .folder.display())]
    Folder {
        /// Where it was to be.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// Names that cargo or the compiler would not take for a crate, or that the crate needs for
/// another.
const TAKEN: [&str; 56] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "jackfield_plugin",
    "jackfield_plugin_test",
    "json",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "serde",
    "serde_json",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "use",
];

/// Types that the templates and the prelude know under these names.
const KNOWN_TYPES: [&str; 34] = [
    "Account",
    "Answer",
    "Api",
    "AskToken",
    "Box",
    "Default",
    "Deserialize",
    "Err",
    "Error",
    "Field",
    "FieldType",
    "Form",
    "Found",
    "Fn",
    "Grant",
    "Harness",
    "Host",
    "HttpRequest",
    "HttpResponse",
    "Integration",
    "None",
    "OAuth2",
    "Ok",
    "Option",
    "Options",
    "Pipeline",
    "Provider",
    "Result",
    "Serialize",
    "Some",
    "State",
    "Step",
    "Token",
    "View",
];

/// A file of the new crate, and its text.
type File = (&'static str, &'static str);

const COMMON: [File; 5] = [
    ("Cargo.toml", include_str!("../templates-plugin/common/Cargo.toml")),
    (".gitignore", include_str!("../templates-plugin/common/gitignore")),
    (".github/workflows/ci.yml", include_str!("../templates-plugin/common/ci.yml")),
    ("dev.toml", include_str!("../templates-plugin/common/dev.toml")),
    ("src/icon.svg", include_str!("../templates-plugin/common/src/icon.svg")),
];
const FORM: [File; 4] = [
    ("src/lib.rs", include_str!("../templates-plugin/form/src/lib.rs")),
    ("tests/setup.rs", include_str!("../templates-plugin/form/tests/setup.rs")),
    ("acme.toml", include_str!("../templates-plugin/form/acme.toml")),
    ("README.md", include_str!("../templates-plugin/form/README.md")),
];
const OAUTH2: [File; 4] = [
    ("src/lib.rs", include_str!("../templates-plugin/oauth2/src/lib.rs")),
    ("tests/setup.rs", include_str!("../templates-plugin/oauth2/tests/setup.rs")),
    ("acme.toml", include_str!("../templates-plugin/oauth2/acme.toml")),
    ("README.md", include_str!("../templates-plugin/oauth2/README.md")),
];

/// Makes the crate in a folder of its name. The answer is that folder.
pub fn make(name: &str, kind: Kind, below: &Path) -> Result<PathBuf, NewPluginError> {
    check_name(name)?;
    let target = below.join(name);
    if fs::symlink_metadata(&target).is_ok() {
        return Err(NewPluginError::Exists(target));
    }
    let error = |error| NewPluginError::Folder { folder: below.to_owned(), error };
    let folder = tempfile::Builder::new().prefix(".jackfield-new-").tempdir_in(below).map_err(error)?;
    write(name, kind, folder.path()).map_err(error)?;
    // An existing folder, even an empty one that has come up meanwhile, is not replaced.
    match renameat_with(CWD, folder.path(), CWD, &target, RenameFlags::NOREPLACE) {
        Ok(()) => {
            let _ = folder.keep(); // It has moved: there is nothing to remove.
            Ok(target)
        }
        Err(rustix::io::Errno::EXIST) => Err(NewPluginError::Exists(target)),
        Err(errno) => Err(error(errno.into())),
    }
}

fn check_name(name: &str) -> Result<(), NewPluginError> {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let why = match name.chars().find(|c| !is_word(*c)) {
        Some(c) => format!("`{}` may not be in it", c.escape_debug()),
        None if name.is_empty() => "it is empty".to_owned(),
        None if name.len() > 64 => format!("it has {} characters", name.len()),
        None if !name.starts_with(|c: char| c.is_ascii_lowercase()) => "it does not begin with a letter".to_owned(),
        None if TAKEN.contains(&crate_name(name).as_str()) => "Rust has another use for this word".to_owned(),
        None if name == "dev" => "dev.toml is a file of its own in the crate".to_owned(),
        None if !is_good_id(name) => "it is a section of the host's configuration".to_owned(),
        None => return Ok(()),
    };
    Err(NewPluginError::Name { name: name.to_owned(), why })
}

fn write(name: &str, kind: Kind, folder: &Path) -> io::Result<()> {
    let own = if kind == Kind::OAuth2 { OAUTH2 } else { FORM };
    for (file, text) in COMMON.into_iter().chain(own) {
        let path = folder.join(file.replace("acme", name));
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, filled_in(text, name))?;
    }
    // A temporary folder is its user's only; a crate is like any other.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

/// The templates are a crate named `acme`, so that they can be read as they are.
fn filled_in(text: &str, name: &str) -> String {
    let words: Vec<String> = name.split(['-', '_']).filter(|word| !word.is_empty()).map(capitalized).collect();
    text.replace("Acme Inc", &words.join(" "))
        .replace("Acme", &type_name(&words))
        .replace("acme_crate", &crate_name(name))
        .replace("ACME", &crate_name(name).to_ascii_uppercase())
        .replace("acme", name)
}

/// As Rust's source names the crate.
fn crate_name(name: &str) -> String {
    name.replace('-', "_")
}

fn type_name(words: &[String]) -> String {
    let name = words.concat();
    if KNOWN_TYPES.contains(&name.as_str()) { format!("{name}Provider") } else { name }
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal_of(name: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let error = make(name, Kind::Form, folder.path()).expect_err("it is refused").to_string();
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0, "nothing is left behind");
        error.lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_bad_name_is_refused_by_its_character() {
        assert_eq!(refusal_of("My-crm"), "`My-crm` cannot be a plugin's name: `M` may not be in it");
        assert_eq!(refusal_of("../crm"), "`../crm` cannot be a plugin's name: `.` may not be in it");
        assert_eq!(refusal_of("crm\u{7f}"), "`crm\\u{7f}` cannot be a plugin's name: `\\u{7f}` may not be in it");
        assert_eq!(refusal_of(""), "`` cannot be a plugin's name: it is empty");
        assert_eq!(refusal_of("7crm"), "`7crm` cannot be a plugin's name: it does not begin with a letter");
        assert_eq!(refusal_of("match"), "`match` cannot be a plugin's name: Rust has another use for this word");
        assert_eq!(
            refusal_of("serde-json"),
            "`serde-json` cannot be a plugin's name: Rust has another use for this word"
        );
        assert_eq!(refusal_of("dev"), "`dev` cannot be a plugin's name: dev.toml is a file of its own in the crate");
        assert_eq!(
            refusal_of("plugins"),
            "`plugins` cannot be a plugin's name: it is a section of the host's configuration"
        );
        assert!(refusal_of(&"a".repeat(65)).ends_with("it has 65 characters"));
    }

    #[test]
    fn what_is_there_is_not_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("crm")).expect("writable");
        let error = make("crm", Kind::OAuth2, folder.path()).expect_err("it is there");
        assert!(matches!(&error, NewPluginError::Exists(path) if path.ends_with("crm")), "{error}");
        assert_eq!(fs::read_dir(folder.path().join("crm")).expect("it is there").count(), 0);
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 1, "nothing beside it");
    }

    #[test]
    fn the_name_is_everywhere_and_acme_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, kind) in
            [("my-crm", Kind::Form), ("provider", Kind::OAuth2), ("api", Kind::OAuth2), ("grant", Kind::Form)]
        {
            let made = make(name, kind, folder.path()).expect("it is made");
            let text = |file: &str| fs::read_to_string(made.join(file)).expect("it is there");
            for file in
                ["Cargo.toml", "README.md", "dev.toml", ".github/workflows/ci.yml", "src/lib.rs", "tests/setup.rs"]
            {
                assert!(!text(file).to_lowercase().contains("acme"), "{file}");
            }
            assert!(text(&format!("{name}.toml")).contains(&format!("default-integrations = [\"{name}\"]")));
        }
        let text = |file: &str| fs::read_to_string(folder.path().join(file)).expect("it is there");
        assert!(text("my-crm/tests/setup.rs").contains("use my_crm::MyCrm;"));
        assert!(text("my-crm/src/lib.rs").contains("const NAME: &'static str = \"My Crm\";"));
        for (name, of) in [("provider", "ProviderProvider"), ("api", "ApiProvider"), ("grant", "GrantProvider")] {
            assert!(text(&format!("{name}/src/lib.rs")).contains(&format!("impl Provider for {of}")), "{name}");
        }
    }
}
