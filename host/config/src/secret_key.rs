//! The installation's secret key: everything that is signed or sealed hangs on it. There are several while one takes the place of another.

use std::{
    env, fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use sha2::Sha256;
use toml::de::DeValue;

use super::{
    Diagnostic,
    document::{Node, Notes},
};

/// Fewest characters of a key.
const SHORTEST: usize = 32;

/// What is to be done about one that will not do: while keys take turns, each of them opens something that no other opens.
const PUT_BACK: &str = "put the key back as it was; a new one is at least 32 random characters, as `openssl rand -base64 32` makes them. \
                        Never remove a key that something is sealed under";

/// Where the key is, and where the file says so.
#[derive(Clone, Debug)]
pub struct SecretKeySource {
    place: Place,
    config: PathBuf,
    line: Option<usize>,
}

#[derive(Clone, Debug)]
enum Place {
    Literal(SecretString),
    Env(String),
    File(PathBuf),
}

/// One key: a line of what is configured. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct SecretKey(SecretString);

/// Keys that take turns, newest first, as `jackfield key rotate --secret-key` needs them. Never none. Clones are handles on the same.
#[derive(Clone, Debug)]
pub struct SecretKeys(Arc<RwLock<Vec<SecretKey>>>);

impl Default for SecretKeySource {
    fn default() -> Self {
        Self { place: Place::File("data/secret.key".into()), config: PathBuf::new(), line: None }
    }
}

impl SecretKeySource {
    pub(super) fn read(node: &Node<'_>) -> Option<Self> {
        let place = match node.value {
            DeValue::String(text) => Some(Place::Literal(text.to_string().into())),
            DeValue::Table(table) if super::value::is_reference(table) => {
                table.iter().next().and_then(|(kind, target)| {
                    let target = target.get_ref().as_str()?.to_owned();
                    Some(if kind.get_ref() == "env" { Place::Env(target) } else { Place::File(target.into()) })
                })
            }
            _ => None,
        };
        if place.is_none() {
            node.wrong_type("text, { env = \"NAME\" } or { file = \"PATH\" }");
        }
        Some(Self { place: place?, config: node.notes.file().to_owned(), line: Some(node.line()) })
    }

    /// What is wrong with it, and where the file says so.
    pub fn diagnostic(&self, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        let notes = Notes::new(&self.config, "");
        notes.note(self.line, "system.secret-key", message, help);
        notes.into_mistakes().remove(0)
    }

    /// Whether it is a file that is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(&self.place, Place::File(path) if !path.exists())
    }

    /// That the file is not there, for whoever must not make one. `needed` is the id of the key that a database hangs on already.
    #[must_use]
    pub fn missing(&self, needed: Option<&str>) -> Diagnostic {
        let place = self.told();
        match needed {
            Some(id) => self.diagnostic(
                format!("{place}: there is no such file, and what is sealed in the database hangs on the secret key {id}"),
                "put that key there: another host of this installation has it, or a backup. A new one would open nothing",
            ),
            None => self.diagnostic(
                format!("{place}: there is no such file"),
                "run this in the folder that the host runs in, or write the file's whole path here; on another machine, copy the key of the \
                 installation's hosts. Whatever writes first in a new installation makes it, as `jackfield serve` does",
            ),
        }
    }

    /// That a database hangs on the key of another id than these.
    #[must_use]
    pub fn other(&self, needed: &str, ours: &str) -> Diagnostic {
        self.diagnostic(
            format!(
                "{}: this database's secrets hang on another secret key ({needed}); with what is here ({ours}) nothing could be opened",
                self.told()
            ),
            "put that key there: another host of this installation has it, or a backup. All hosts of one installation share one secret key",
        )
    }

    /// Where the key is, for people.
    fn told(&self) -> String {
        match &self.place {
            Place::Literal(_) => "the key in this file".to_owned(),
            Place::Env(name) => format!("the environment variable {name}"),
            Place::File(path) => std::path::absolute(path).as_ref().unwrap_or(path).display().to_string(),
        }
    }

    /// A key a line, newest first; empty lines are none.
    fn accepted<'a>(&self, text: impl Iterator<Item = &'a str>) -> Result<SecretKeys, Diagnostic> {
        let lines: Vec<(usize, &str)> = (1..).zip(text).filter(|(_, line)| !line.trim().is_empty()).collect();
        if lines.is_empty() {
            return Err(self.diagnostic(format!("{}: there is no key in it", self.told()), PUT_BACK));
        }
        if let Some((number, _)) = lines.iter().find(|(_, line)| line.len() < SHORTEST) {
            let which = if lines.len() > 1 { format!(" in line {number}") } else { String::new() };
            return Err(self.diagnostic(format!("{}: the key{which} is too short", self.told()), PUT_BACK));
        }
        Ok(SecretKeys::new(lines.into_iter().map(|(_, line)| line)))
    }

    fn read_file(&self, path: &Path) -> Result<SecretKeys, Diagnostic> {
        let unreadable = |error: &io::Error| {
            self.diagnostic(format!("{}: {error}", path.display()), "let the host's user read the file")
        };
        let mode = fs::metadata(path).map_err(|error| unreadable(&error))?.permissions().mode();
        if mode & 0o077 != 0 {
            let help = format!("chmod 600 {}", path.display());
            return Err(self.diagnostic(format!("{}: others may read the key", path.display()), help));
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| unreadable(&error))?);
        self.accepted(text.lines().map(str::trim_end))
    }
}

/// Reads the keys; a file that does not exist yet is made, with one. Hosts that start at once end with one key.
///
/// # Errors
/// When the key cannot be read or made, or will not do.
pub fn load_or_create(source: &SecretKeySource) -> Result<SecretKeys, Diagnostic> {
    if let Place::File(path) = &source.place
        && source.is_missing()
    {
        let made = create(path);
        let failed = |error: io::Error| {
            let help = "let the host's user write the folder, or put a key there";
            source.diagnostic(format!("{}: the key cannot be made: {error}", path.display()), help)
        };
        made.map_err(failed)?;
    }
    load(source)
}

/// Says what is wrong with the key, and makes none.
///
/// # Errors
/// When a key is there and will not do.
pub fn check(source: &SecretKeySource) -> Result<(), Diagnostic> {
    if source.is_missing() { Ok(()) } else { load(source).map(drop) }
}

/// Reads the keys, and makes none.
///
/// # Errors
/// When they are not there, cannot be read, or will not do.
pub fn load(source: &SecretKeySource) -> Result<SecretKeys, Diagnostic> {
    match &source.place {
        Place::Literal(key) => source.accepted(key.expose_secret().lines()),
        Place::Env(name) => match env::var(name).map(Zeroizing::new) {
            Ok(key) => source.accepted(key.lines()),
            Err(_) => {
                let help = format!("set {name} where the host is started");
                Err(source.diagnostic(format!("the environment variable {name} is not set"), help))
            }
        },
        Place::File(_) if source.is_missing() => Err(source.missing(None)),
        Place::File(path) => source.read_file(path),
    }
}

/// Writes a whole key under another name first and links it into place, so that nobody ever reads half a key.
fn create(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut()).map_err(io::Error::other)?;
    let draft = folder.join(format!(".secret-key-{:016x}", getrandom::u64().map_err(io::Error::other)?));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(Zeroizing::new(format!("{}\n", BASE64_STANDARD.encode(bytes))).as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::File::open(folder)?.sync_all(),
    }
}

impl SecretKey {
    /// A key for one purpose: HKDF-SHA256 (RFC 5869) with the purpose as info.
    #[must_use]
    pub fn derive(&self, purpose: &'static str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.expand(purpose))
    }

    /// Tells keys apart without telling the key; stands in front of everything sealed under it.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        self.expand("key id")
    }

    fn expand<const N: usize>(&self, purpose: &str) -> [u8; N] {
        let mut derived = [0; N];
        let hkdf = Hkdf::<Sha256>::new(Some(b"jackfield"), self.0.expose_secret().as_bytes());
        hkdf.expand(purpose.as_bytes(), &mut derived).expect("the derived keys are shorter than HKDF's limit");
        derived
    }
}

impl SecretKeys {
    /// These keys, newest first.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn new<'a>(newest_first: impl IntoIterator<Item = &'a str>) -> Self {
        let keys: Vec<_> = newest_first.into_iter().map(|key| SecretKey(key.to_owned().into())).collect();
        assert!(!keys.is_empty(), "there is a secret key");
        Self(Arc::new(RwLock::new(keys)))
    }

    /// All of them, newest first.
    #[must_use]
    pub fn all(&self) -> Vec<SecretKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The one that new things hang on.
    #[must_use]
    pub fn newest(&self) -> SecretKey {
        self.all().swap_remove(0)
    }

    /// The one that every host has, also while a new line is being handed round.
    #[must_use]
    pub fn oldest(&self) -> SecretKey {
        self.all().pop().expect("there is a secret key")
    }

    /// The one of an id.
    #[must_use]
    pub fn find(&self, id: [u8; 4]) -> Option<SecretKey> {
        self.all().into_iter().find(|key| key.id() == id)
    }

    /// Takes over what is configured by now, for every handle. Answers whether that is anything new.
    pub fn replace(&self, other: &Self) -> bool {
        let (new, old) = (other.all(), self.all());
        let has_changed = !new.iter().map(SecretKey::id).eq(old.iter().map(SecretKey::id));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        has_changed
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey([secret])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(place: Place) -> SecretKeySource {
        SecretKeySource { place, config: "jackfield.toml".into(), line: Some(4) }
    }

    #[test]
    fn a_key_is_made_once_and_kept_to_the_hosts_user() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data/secret.key");
        let file = source(Place::File(path.clone()));
        assert!(check(&file).is_ok() && !path.exists(), "checking makes none");
        let made = load_or_create(&file).expect("the folder can be written");
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(load_or_create(&file).expect("it is there").newest().derive("a"), made.newest().derive("a"));
        assert_eq!(fs::read_dir(path.parent().expect("a folder")).expect("readable").count(), 1, "no draft is left");
    }

    #[test]
    fn hosts_that_start_at_once_end_with_one_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = source(Place::File(folder.path().join("secret.key")));
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..2).map(|_| scope.spawn(|| load_or_create(&file).map(|keys| keys.newest().id()))).collect();
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
            load_or_create(&source(Place::File(path.clone()))).expect_err("others may read it").to_string();
        let diagnostic = diagnostic.replace(&path.display().to_string(), "KEY");
        insta::assert_snapshot!(diagnostic, @r"
        jackfield.toml:4: system.secret-key: KEY: others may read the key
          help: chmod 600 KEY
        ");
    }

    #[test]
    fn a_short_key_is_refused_and_not_told() {
        let diagnostic = load(&source(Place::Literal("hunter2".to_owned().into()))).expect_err("too short").to_string();
        assert!(diagnostic.contains("too short") && !diagnostic.contains("hunter2"), "{diagnostic}");
    }

    #[test]
    fn a_key_stands_on_each_line_newest_first() {
        let (new, old) = ("n".repeat(40), "o".repeat(40));
        let keys = |text: &str| load(&source(Place::Literal(text.to_owned().into())));
        let both = keys(&format!("{new}\n\n{old}\n")).expect("two keys");
        let one = keys(&old).expect("one key");
        assert_eq!(
            (both.all().len(), both.oldest().id(), one.newest().id()),
            (2, one.oldest().id(), one.oldest().id())
        );
        assert!(both.newest().id() != one.newest().id() && both.find(one.newest().id()).is_some());
        assert!(one.replace(&both) && !one.replace(&both), "a handle tells whether anything is new");
    }

    #[test]
    fn a_key_that_will_not_do_is_told_by_its_line_and_never_to_be_removed() {
        let long = "o".repeat(40);
        for (text, told) in [
            (format!("{long}\nhunter2"), "the key in line 2 is too short"),
            (format!("\n\n{long}\n\nhunter2\n"), "the key in line 5 is too short"),
            ("hunter2".to_owned(), "the key is too short"),
            ("\n \n".to_owned(), "there is no key in it"),
        ] {
            let diagnostic = load(&source(Place::Literal(text.into()))).expect_err("it will not do").to_string();
            assert!(diagnostic.contains(told) && !diagnostic.contains("hunter2"), "{diagnostic}");
            assert!(diagnostic.contains("help: put the key back as it was"), "{diagnostic}");
            assert!(diagnostic.ends_with("Never remove a key that something is sealed under"), "{diagnostic}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_made_by_none_but_the_one_who_may() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret.key");
        let file = source(Place::File(path.clone()));
        let diagnostic = load(&file).expect_err("it is not there").to_string();
        assert!(!path.exists(), "looking makes none");
        insta::assert_snapshot!(diagnostic.replace(&path.display().to_string(), "KEY"), @r"
        jackfield.toml:4: system.secret-key: KEY: there is no such file
          help: run this in the folder that the host runs in, or write the file's whole path here; on another machine, copy the key of the installation's hosts. Whatever writes first in a new installation makes it, as `jackfield serve` does
        ");
    }

    #[test]
    fn each_purpose_has_another_key() {
        let key = SecretKey("k".repeat(40).into());
        assert_ne!(key.derive("a"), key.derive("b"));
        assert_eq!(format!("{key:?}"), "SecretKey([secret])");
    }
}
