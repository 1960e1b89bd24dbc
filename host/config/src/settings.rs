//! What the file means: checked settings.

use std::{collections::BTreeMap, fs, path::Path, path::PathBuf, time::Duration};

use toml::de::{DeTable, DeValue};

use super::{
    AllowPrivate, DatabaseUrl, Diagnostic, Diagnostics, Features, Fingerprint, Plugins, ProviderOptions, Proxy,
    SecretKeySource, StandIn, Tokens, UrlPrefix,
    document::{Node, Notes, Section, did_you_mean},
    nearest, providers, value,
};

/// Everything an operator can say.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file all of it was read from.
    pub file: PathBuf,
    /// The plugins to load, in order.
    pub default_integrations: Vec<Listed>,
    /// `[system]`.
    pub system: System,
    /// `[database]`.
    pub database: Database,
    /// `[plugins]`.
    pub plugins: Plugins,
    /// `[features]`.
    pub features: Features,
    /// `[http]`.
    pub http: Http,
    /// `[tokens]`.
    pub tokens: Tokens,
    /// `[proxy]`.
    pub proxy: Proxy,
    /// `[providers.NAME]`: the providers that need no plugin, by id.
    pub providers: BTreeMap<String, ProviderOptions>,
    /// The table of each plugin's provider, by id.
    pub options: BTreeMap<String, ProviderOptions>,
    /// To tell which keys another file says otherwise.
    pub fingerprint: Fingerprint,
}

/// One entry of `default-integrations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// A name found on `plugins.path`, or a path to a library.
    pub text: String,
    /// Line of the file, from 1.
    pub line: usize,
}

/// `[system]`: where the host is.
#[derive(Clone, Debug)]
pub struct System {
    /// What the outside world sees.
    pub url_prefix: UrlPrefix,
    /// Address to listen on, `host:port`; port 0 takes a free one.
    pub listen: String,
    /// Socket in the file system by which the command line reaches the running host.
    pub control: PathBuf,
    /// Where the installation's secret key is.
    pub secret_key: SecretKeySource,
}

/// `[database]`.
#[derive(Clone, Debug)]
pub struct Database {
    /// Where the database is.
    pub url: DatabaseUrl,
}

/// `[http]`: the outgoing client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Private addresses that may be reached all the same.
    pub allow_private: Vec<AllowPrivate>,
    /// For one request and all of its answer.
    pub timeout: Duration,
    /// Largest body that is taken.
    pub max_response_bytes: usize,
    /// Who gets every request in the place of whom it is for.
    pub stand_in: Option<StandIn>,
}

impl Default for Http {
    fn default() -> Self {
        let timeout = Duration::from_secs(10);
        Self { allow_private: Vec::new(), timeout, max_response_bytes: 1 << 20, stand_in: None }
    }
}

/// Top-level names that are no provider's.
const SECTIONS: [&str; 9] = [
    "default-integrations",
    "system",
    "database",
    "plugins",
    "features",
    "http",
    "tokens",
    "proxy",
    providers::SECTION,
];

/// Reads and checks a file.
///
/// # Errors
/// All diagnostics at once.
pub fn load(file: &Path) -> Result<Settings, Diagnostics> {
    let (settings, diagnostics) = load_lenient(file)?;
    if diagnostics.is_empty() { Ok(settings) } else { Err(diagnostics.into()) }
}

/// Reads a file as far as it can be read, with defaults where it cannot, beside all that is wrong with it: for who goes on to look at
/// the plugins, so that what is wrong with them is told at once as well. Settings with diagnostics are never started with.
///
/// # Errors
/// When there is no such file.
pub fn load_lenient(file: &Path) -> Result<(Settings, Vec<Diagnostic>), Diagnostics> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(read(file, &text)),
        Err(error) => {
            let notes = Notes::new(file, "");
            notes.note(None, "", error.to_string(), "name the configuration file with --config FILE");
            Err(notes.into_mistakes().into())
        }
    }
}

fn read(file: &Path, text: &str) -> (Settings, Vec<Diagnostic>) {
    let notes = Notes::new(file, text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = error.span().map(|span| notes.line(span.start));
        notes.note(line, "", format!("not TOML: {}", error.message()), "see https://toml.io for how to write it");
    }
    let settings = settings(file, &notes, root.get_ref());
    (settings, notes.into_mistakes())
}

/// Reads every section before it gives up, so that all diagnostics are noted.
fn settings<'a>(file: &Path, notes: &'a Notes, root: &'a DeTable<'a>) -> Settings {
    let default_integrations = listed(notes, root);
    let system = system(notes, root);
    let database = database(notes, root);
    let plugins = Plugins::read(notes, root);
    let features = Features::read(notes, root);
    let http = http(notes, root);
    let tokens = Tokens::read(notes, root);
    let proxy = Proxy::read(notes, root);
    let providers = providers::read(notes, root);
    let options = options(notes, root);
    refuse_trials(notes, root, &system.url_prefix);
    let file = file.to_owned();
    Settings {
        file,
        default_integrations,
        system,
        database,
        plugins,
        features,
        http,
        tokens,
        proxy,
        providers,
        options,
        fingerprint: Fingerprint::of(root),
    }
}

/// What plugins are tried out with must never reach people: a host with an https address is in use.
fn refuse_trials<'a>(notes: &'a Notes, root: &'a DeTable<'a>, url_prefix: &UrlPrefix) {
    for (section, key) in [("http", "stand-in"), ("plugins", "clock")] {
        let is_table = root.get(section).is_some_and(|value| value.get_ref().is_table());
        let node = if is_table { Section::new(notes, section, root).take(key) } else { None };
        if let Some(node) = node.filter(|_| url_prefix.is_https()) {
            node.diagnostic("not with an https url-prefix: it is for trying plugins out", "remove it");
        }
    }
}

fn listed<'a>(notes: &'a Notes, root: &'a DeTable<'a>) -> Vec<Listed> {
    let Some(value) = root.get("default-integrations") else { return Vec::new() };
    let node = Node::new(notes, "default-integrations".to_owned(), value);
    let mut listed: Vec<Listed> = Vec::new();
    for (text, item) in value::texts(&node).unwrap_or_default() {
        if text.is_empty() {
            item.diagnostic("empty", "write a plugin's name or the path of its library");
        } else if listed.iter().any(|earlier| earlier.text == text) {
            item.diagnostic(format!("`{text}` is listed twice"), "remove one of them");
        } else {
            listed.push(Listed { text, line: item.line() });
        }
    }
    listed
}

/// The value of a key, or its default when the key is absent, or there and wrong: then that is noted.
fn or_default<T>(node: Option<Node<'_>>, read: impl Fn(&Node<'_>) -> Option<T>, default: impl Fn() -> T) -> T {
    node.and_then(|node| read(&node)).unwrap_or_else(default)
}

fn built_in<T: std::str::FromStr<Err = (String, String)>>(text: &str) -> T {
    text.parse().unwrap_or_else(|(message, _)| panic!("the built-in default {text} is {message}"))
}

fn system<'a>(notes: &'a Notes, root: &'a DeTable<'a>) -> System {
    let mut section = Section::new(notes, "system", root);
    let url_prefix = or_default(section.take("url-prefix"), value::parsed, || built_in("http://127.0.0.1:8000"));
    let listen = or_default(section.take("listen"), listen, || "127.0.0.1:8000".to_owned());
    let control = or_default(section.take("control"), value::text, || "data/jackfield.sock".to_owned()).into();
    let secret_key = or_default(section.take("secret-key"), SecretKeySource::read, SecretKeySource::default);
    section.finish();
    System { url_prefix, listen, control, secret_key }
}

fn listen(node: &Node<'_>) -> Option<String> {
    let text = value::text(node)?;
    let is_address = text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if !is_address {
        node.diagnostic("not an address with a port", "write like 127.0.0.1:8000 or [::]:8000");
    }
    is_address.then_some(text)
}

fn database<'a>(notes: &'a Notes, root: &'a DeTable<'a>) -> Database {
    let mut section = Section::new(notes, "database", root);
    let url = or_default(section.take("url"), value::parsed, || built_in("sqlite://data/jackfield.db"));
    section.finish();
    Database { url }
}

fn http<'a>(notes: &'a Notes, root: &'a DeTable<'a>) -> Http {
    let mut section = Section::new(notes, "http", root);
    let entries = section.take("allow-private").and_then(|node| node.items()).unwrap_or_default();
    let seconds = section.take("timeout").and_then(|node| value::number(&node, 1, 300));
    let bytes = section.take("max-response-bytes").and_then(|node| value::number(&node, 1, 1 << 30));
    let stand_in = section.take("stand-in").and_then(|node| value::parsed(&node));
    section.finish();
    let default = Http::default();
    Http {
        allow_private: entries.iter().filter_map(value::parsed).collect(),
        timeout: seconds.map_or(default.timeout, Duration::from_secs),
        max_response_bytes: bytes
            .map_or(default.max_response_bytes, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        stand_in,
    }
}

/// All that is no section of ours is a provider's table, judged once the plugins are loaded.
fn options<'a>(notes: &'a Notes, root: &'a DeTable<'a>) -> BTreeMap<String, ProviderOptions> {
    let mut options = BTreeMap::new();
    for (key, value) in root.iter().filter(|(key, _)| !Settings::is_section(key.get_ref())) {
        let name = key.get_ref().to_string();
        let node = Node::new(notes, name.clone(), value);
        let is_slip = nearest(&name, SECTIONS).is_some();
        if is_slip || !matches!(node.value, DeValue::Table(_)) {
            let line = notes.line(key.span().start);
            notes.note(Some(line), &name, "unknown key", did_you_mean(&name, SECTIONS.into_iter()));
        } else if let Some(read) = ProviderOptions::read(&node) {
            options.insert(name, read);
        }
    }
    options
}

impl Settings {
    /// Whether a top-level name is the host's own and so no provider's.
    #[must_use]
    pub fn is_section(name: &str) -> bool {
        SECTIONS.contains(&name)
    }

    /// The same without what is listed, so that nothing but the declared providers comes of loading it.
    #[must_use]
    pub fn without_plugins(mut self) -> Self {
        self.default_integrations.clear();
        self.options.clear();
        self.plugins.forget_tables();
        self
    }

    /// A diagnostic in this file that only a higher room could see.
    #[must_use]
    pub fn diagnostic(&self, key: &str, line: Option<usize>, message: String, help: String) -> Diagnostic {
        Diagnostic { file: self.file.clone(), line, key: key.to_owned(), message, help }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
