//! Where the secret keys come from: the file itself, an environment variable or a file of their
//! own.

use std::{
    env,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use toml::de::DeValue;

use super::{
    config_value::ConfigValue,
    diagnostic::Diagnostic,
    file_rights::{help_to_close, is_open_to_others},
    reference::{is_reference, slip, target_fault},
    secret_key::SecretKeys,
    secret_key_lines::fault,
    text_file::{TextFileError, read_text_file, unreadable},
};

/// What to do about a key that cannot be used. While several keys are in use, each of them opens
/// something that no other opens.
const RESTORE: &str = "put the key back as it was; a new one is at least 32 random characters, as `openssl rand -base64 32` makes them. \
                       Never remove a key that something is sealed under";

/// `system.secret-key`: where the keys are, and where the file says so.
#[derive(Clone, Debug)]
pub struct SecretKeySource {
    location: KeyLocation,
    config: PathBuf,
    line: Option<usize>,
}

#[derive(Clone, Debug)]
enum KeyLocation {
    Literal(SecretString),
    Env(String),
    File(PathBuf),
}

impl SecretKeySource {
    /// Where the key is if the configuration does not say.
    pub(super) fn built_in(config: &Path) -> Self {
        Self { location: KeyLocation::File("data/secret.key".into()), config: config.to_owned(), line: None }
    }

    pub(super) fn read(value: &ConfigValue<'_>) -> Option<Self> {
        let location = KeyLocation::read(value);
        Some(Self { location: location?, config: value.collector.file().to_owned(), line: Some(value.line()) })
    }

    /// Reads the keys; creates a file with one key if there is none. Hosts that start at the same
    /// time get the same key.
    ///
    /// # Errors
    /// When a key cannot be read, created or used.
    pub fn load_or_create(&self) -> Result<SecretKeys, Diagnostic> {
        if let KeyLocation::File(path) = &self.location
            && self.is_missing()
        {
            create(path).map_err(|error| {
                let help = "let the host's user write the folder, or put a key there";
                self.diagnostic(format!("{}: the key cannot be made: {error}", path.display()), help)
            })?;
        }
        self.load()
    }

    /// Checks the keys if they are there, and creates none.
    ///
    /// # Errors
    /// When a key cannot be used.
    pub fn check(&self) -> Result<(), Diagnostic> {
        if self.is_missing() { Ok(()) } else { self.load().map(drop) }
    }

    /// Reads the keys, and creates none.
    ///
    /// # Errors
    /// When the keys are missing, or cannot be read or used.
    pub fn load(&self) -> Result<SecretKeys, Diagnostic> {
        match &self.location {
            KeyLocation::Literal(key) => self.parse(key.expose_secret().lines()),
            KeyLocation::Env(name) => match env::var(name).map(Zeroizing::new) {
                Ok(key) => self.parse(key.lines()),
                Err(_) => {
                    let help = format!("set {name} where the host is started");
                    Err(self.diagnostic(format!("the environment variable {name} is not set"), help))
                }
            },
            KeyLocation::File(_) if self.is_missing() => Err(self.missing(None)),
            KeyLocation::File(path) => self.read_file(path),
        }
    }

    /// The file that has the keys, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        if let KeyLocation::File(path) = &self.location { Some(path) } else { None }
    }

    /// Whether it is a file that is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        // In a folder that may not be entered, nobody knows.
        matches!(&self.location, KeyLocation::File(path) if !path.try_exists().unwrap_or(true))
    }

    /// A diagnostic about the key, with the line where the file names it.
    pub fn diagnostic(&self, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: self.config.clone(),
            line: self.line,
            key: "system.secret-key".to_owned(),
            message: message.into(),
            help: help.into(),
        }
    }

    /// The file is missing, and a command that must not create one needs it. `needed` is the id of
    /// the key that a database is already sealed under.
    #[must_use]
    pub fn missing(&self, needed: Option<&str>) -> Diagnostic {
        let location = self.location.describe();
        match needed {
            Some(id) => self.diagnostic(
                format!("{location}: there is no such file, and this database's secrets are sealed under the secret key {id}"),
                "put that key there: another host of this installation has it, or a backup. A new one would open nothing",
            ),
            None => self.diagnostic(
                format!("{location}: there is no such file"),
                "run this in the folder that the host runs in, or write the file's whole path here; on another machine, copy the key of the \
                 installation's hosts. In a new installation the first command that writes makes it, such as `jackfield serve`",
            ),
        }
    }

    /// The database is sealed under a key that is not among these. Both are ids.
    #[must_use]
    pub fn wrong_key(&self, needed: &str, ours: &str) -> Diagnostic {
        self.diagnostic(
            format!(
                "{}: this database's secrets are sealed under another secret key ({needed}); with what is here ({ours}) nothing could be opened",
                self.location.describe()
            ),
            "put that key there: another host of this installation has it, or a backup. All hosts of one installation share one secret key",
        )
    }

    /// One key per line, newest first; empty lines are skipped.
    fn parse<'a>(&self, text: impl Iterator<Item = &'a str>) -> Result<SecretKeys, Diagnostic> {
        let lines: Vec<(usize, &str)> = (1..).zip(text).filter(|(_, line)| !line.trim().is_empty()).collect();
        let location = self.location.describe();
        if lines.is_empty() {
            return Err(self.diagnostic(format!("{location}: there is no key in it"), RESTORE));
        }
        let wrong = lines.iter().find_map(|(number, line)| Some((number, fault(line)?)));
        if let Some((number, fault)) = wrong {
            let which = if lines.len() > 1 { format!(" in line {number}") } else { String::new() };
            return Err(self.diagnostic(format!("{location}: the key{which} {fault}"), RESTORE));
        }
        Ok(SecretKeys::new(lines.into_iter().map(|(_, line)| line)))
    }

    fn read_file(&self, path: &Path) -> Result<SecretKeys, Diagnostic> {
        let unreadable =
            |error: TextFileError| self.diagnostic(format!("{}: {}", path.display(), error.message), error.help);
        let file = fs::metadata(path).map_err(|error| unreadable(self::unreadable(path, &error)))?;
        if is_open_to_others(&file) {
            let help = help_to_close(path, &file);
            return Err(self.diagnostic(format!("{}: others may read the key", path.display()), help));
        }
        let text = Zeroizing::new(read_text_file(path).map_err(unreadable)?);
        self.parse(text.lines().map(str::trim_end))
    }
}

impl KeyLocation {
    fn read(value: &ConfigValue<'_>) -> Option<Self> {
        let (message, help) = match value.value {
            DeValue::String(text) => return Some(Self::Literal(text.to_string().into())),
            DeValue::Table(table) if is_reference(table) => {
                let (kind, target) = table.iter().next()?;
                let (kind, target) = (kind.get_ref().as_ref(), target.get_ref().as_str()?.to_owned());
                match target_fault(kind, &target) {
                    Some(fault) => fault,
                    None if kind == "env" => return Some(Self::Env(target)),
                    None => return Some(Self::File(target.into())),
                }
            }
            DeValue::Table(table) if let Some(slip) = slip(table, false) => slip,
            _ => {
                value.report_wrong_type("text, { env = \"NAME\" } or { file = \"PATH\" }");
                return None;
            }
        };
        value.report(message, help);
        None
    }

    /// In words, without the key.
    fn describe(&self) -> String {
        match self {
            Self::Literal(_) => "the key in this file".to_owned(),
            Self::Env(name) => format!("the environment variable {name}"),
            Self::File(path) => std::path::absolute(path).as_ref().unwrap_or(path).display().to_string(),
        }
    }
}

/// A new key. One in four thousand begins with `//`, and would be refused as a comment.
fn generate() -> io::Result<Zeroizing<String>> {
    loop {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut()).map_err(io::Error::other)?;
        let key = Zeroizing::new(BASE64_STANDARD.encode(bytes));
        if fault(&key).is_none() {
            return Ok(key);
        }
    }
}

/// Writes a whole key under another name and links it into place, so that nobody ever reads half a
/// key.
fn create(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let key = generate()?;
    let draft = folder.join(format!(".secret-key-{:016x}", getrandom::u64().map_err(io::Error::other)?));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(Zeroizing::new(format!("{}\n", *key)).as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::File::open(folder)?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn source(location: KeyLocation) -> SecretKeySource {
        SecretKeySource { location, config: "jackfield.toml".into(), line: Some(4) }
    }

    #[test]
    fn a_key_is_created_once_and_only_the_hosts_user_can_read_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data/secret.key");
        let file = source(KeyLocation::File(path.clone()));
        assert!(file.check().is_ok() && !path.exists(), "checking makes none");
        let made = file.load_or_create().expect("the folder can be written");
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(file.load_or_create().expect("it is there").newest().derive("a"), made.newest().derive("a"));
        assert_eq!(fs::read_dir(path.parent().expect("a folder")).expect("readable").count(), 1, "no draft is left");
    }

    #[test]
    fn hosts_that_start_at_the_same_time_get_the_same_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = source(KeyLocation::File(folder.path().join("secret.key")));
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..2).map(|_| scope.spawn(|| file.load_or_create().map(|keys| keys.newest().id()))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic").expect("a key")).collect()
        });
        assert_eq!(keys[0], keys[1]);
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret.key");
        fs::write(&path, "x".repeat(40)).expect("writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("our own file");
        let diagnostic =
            source(KeyLocation::File(path.clone())).load_or_create().expect_err("others may read it").to_string();
        let diagnostic = diagnostic.replace(&path.display().to_string(), "KEY");
        insta::assert_snapshot!(diagnostic, @r"
        jackfield.toml:4: system.secret-key: KEY: others may read the key
          help: chmod 600 KEY
        ");
    }

    #[test]
    fn a_short_key_is_refused_and_not_shown() {
        let diagnostic =
            source(KeyLocation::Literal("hunter2".to_owned().into())).load().expect_err("too short").to_string();
        assert!(diagnostic.contains("too short") && !diagnostic.contains("hunter2"), "{diagnostic}");
    }

    #[test]
    fn there_is_one_key_per_line_newest_first() {
        let (new, old) = ("n".repeat(40), "o".repeat(40));
        let keys = |text: &str| source(KeyLocation::Literal(text.to_owned().into())).load();
        let both = keys(&format!("{new}\n\n{old}\n")).expect("two keys");
        let one = keys(&old).expect("one key");
        assert_eq!(
            (both.all().len(), both.oldest().id(), one.newest().id()),
            (2, one.oldest().id(), one.oldest().id())
        );
        assert!(both.newest().id() != one.newest().id() && both.find(one.newest().id()).is_some());
        assert!(one.replace(&both) && !one.replace(&both), "it returns whether anything is new");
    }

    #[test]
    fn a_line_that_is_no_key_is_reported_with_its_number_and_the_advice_to_keep_keys() {
        let long = "o".repeat(40);
        for (text, expected) in [
            (format!("{long}\nhunter2"), "the key in line 2 is too short"),
            (format!("\n\n{long}\n\nhunter2\n"), "the key in line 5 is too short"),
            ("hunter2".to_owned(), "the key is too short"),
            (
                format!("# the key of hunter2, 32 characters\n{long}"),
                "the key in line 1 is a comment, and each line is a key",
            ),
            ("\n \n".to_owned(), "there is no key in it"),
        ] {
            let diagnostic = source(KeyLocation::Literal(text.into())).load().expect_err("it will not do").to_string();
            assert!(diagnostic.contains(expected) && !diagnostic.contains("hunter2"), "{diagnostic}");
            assert!(diagnostic.contains("help: put the key back as it was"), "{diagnostic}");
            assert!(diagnostic.ends_with("Never remove a key that something is sealed under"), "{diagnostic}");
        }
    }

    #[test]
    fn reading_the_key_never_creates_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret.key");
        let file = source(KeyLocation::File(path.clone()));
        let diagnostic = file.load().expect_err("it is not there").to_string();
        assert!(!path.exists(), "looking makes none");
        insta::assert_snapshot!(diagnostic.replace(&path.display().to_string(), "KEY"), @r"
        jackfield.toml:4: system.secret-key: KEY: there is no such file
          help: run this in the folder that the host runs in, or write the file's whole path here; on another machine, copy the key of the installation's hosts. In a new installation the first command that writes makes it, such as `jackfield serve`
        ");
    }
}
