//! What the file means: checked settings.

use std::{collections::BTreeMap, path::PathBuf, str::FromStr, time::Duration};

use toml::de::{DeTable, DeValue};

use super::{
    allow_private::AllowPrivate,
    audit::Audit,
    config_value::ConfigValue,
    connect::{self, ConnectIssuer},
    database::Database,
    diagnostic::{Diagnostic, nearest},
    diagnostic_collector::DiagnosticCollector,
    endpoints::{self, ConfiguredEndpoint},
    features::Features,
    fingerprint::Fingerprint,
    inbox::Inbox,
    literal_secrets,
    misplaced::help_for,
    networks::warn_of_everything,
    options::ProviderOptions,
    plugins::Plugins,
    providers,
    proxy::Proxy,
    secret_key_source::SecretKeySource,
    sections::{SECTIONS, is_section},
    stand_in_url::StandInUrl,
    table_reader::TableReader,
    tokens::Tokens,
    trusted_proxies::TrustedProxies,
    url_prefix::UrlPrefix,
};

/// Everything an operator can set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file that it was read from.
    pub file: PathBuf,
    /// The plugins to load, in order.
    pub default_integrations: Vec<ListedPlugin>,
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
    /// `[audit]`.
    pub audit: Audit,
    /// `[inbox]`.
    pub inbox: Inbox,
    /// `[[connect.issuers]]`: where people prove who they are.
    pub connect_issuers: Vec<ConnectIssuer>,
    /// `[[endpoints]]`: where programs are told of events.
    pub endpoints: Vec<ConfiguredEndpoint>,
    /// `[providers.NAME]`: the declared providers, by id.
    pub providers: BTreeMap<String, ProviderOptions>,
    /// The options of each plugin's provider, by id.
    pub options: BTreeMap<String, ProviderOptions>,
    /// The line of each key, by its dotted name.
    pub lines: BTreeMap<String, usize>,
    /// Shows which keys differ in another file.
    pub fingerprint: Fingerprint,
    /// What the operator should mend, though the host starts with it.
    pub warnings: Vec<Diagnostic>,
}

/// One entry of `default-integrations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPlugin {
    /// A name that is looked up in `plugins.path`, or the path of a library.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
}

/// `[system]`: where the host listens and keeps its files.
#[derive(Clone, Debug)]
pub struct System {
    /// The URL under which the outside world sees the host.
    pub url_prefix: UrlPrefix,
    /// Address to listen on, `host:port`; port 0 takes a free one.
    pub listen: String,
    /// The proxies in front of the host, whose word on a client's address is taken.
    pub trusted_proxies: TrustedProxies,
    /// Longest time that a client's connection may be open without a request.
    pub idle_timeout: Duration,
    /// Most connections of clients at once; `None`: as many as the open files allow.
    pub max_connections: Option<usize>,
    /// Most requests that are answered at once; `None`: as many as connections, up to a few
    /// thousand.
    pub max_requests: Option<usize>,
    /// Unix socket by which the command line talks to the running host.
    pub control: PathBuf,
    /// Where the installation's secret keys are.
    pub secret_key: SecretKeySource,
}

/// `[http]`: the outgoing client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Private addresses that it may connect to.
    pub allow_private: Vec<AllowPrivate>,
    /// Longest time for one request and its whole answer.
    pub timeout: Duration,
    /// Largest body of an answer.
    pub max_response_bytes: usize,
    /// The server that gets every request instead of its host.
    pub stand_in: Option<StandInUrl>,
}

impl Default for Http {
    fn default() -> Self {
        let timeout = Duration::from_secs(10);
        Self { allow_private: Vec::new(), timeout, max_response_bytes: 1 << 20, stand_in: None }
    }
}

/// Reads every section, also after a mistake, so that all diagnostics are collected.
pub(super) fn settings<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) -> Settings {
    let settings = Settings {
        file: collector.file().to_owned(),
        default_integrations: listed_plugins(collector, root),
        system: System::read(collector, root),
        database: Database::read(collector, root),
        plugins: Plugins::read(collector, root),
        features: Features::read(collector, root),
        http: Http::read(collector, root),
        tokens: Tokens::read(collector, root),
        proxy: Proxy::read(collector, root),
        audit: Audit::read(collector, root),
        inbox: Inbox::read(collector, root),
        connect_issuers: connect::read(collector, root),
        endpoints: endpoints::read(collector, root),
        providers: providers::read(collector, root),
        options: provider_options(collector, root),
        lines: lines(collector, root),
        fingerprint: Fingerprint::of(root),
        warnings: Vec::new(),
    };
    literal_secrets::report(collector, root, settings.system.url_prefix.is_https());
    if settings.system.url_prefix.is_https() {
        refuse_trial_settings(collector, root);
    }
    settings
}

/// The line of each key of the host's own sections.
fn lines(collector: &DiagnosticCollector, root: &DeTable<'_>) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for (section, value) in root.iter().filter(|(key, _)| is_section(key.get_ref())) {
        let section = section.get_ref();
        for (key, _) in value.get_ref().as_table().into_iter().flatten() {
            lines.insert(format!("{section}.{}", key.get_ref()), collector.line(key.span().start));
        }
        for (at, item) in value.get_ref().as_array().into_iter().flatten().enumerate() {
            for (key, _) in item.get_ref().as_table().into_iter().flatten() {
                lines.insert(format!("{section}[{at}].{}", key.get_ref()), collector.line(key.span().start));
            }
        }
    }
    lines
}

/// Refuses what plugins are tried out with. A host with an https address is in use, and these
/// settings must never affect people.
fn refuse_trial_settings<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) {
    for (section, key) in [("http", "stand-in"), ("plugins", "clock")] {
        let is_table = root.get(section).is_some_and(|value| value.get_ref().is_table());
        let value = if is_table { TableReader::section(collector, section, root).take(key) } else { None };
        if let Some(value) = value {
            value.report("not with an https url-prefix: it is for trying plugins out", "remove it");
        }
    }
}

fn listed_plugins<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) -> Vec<ListedPlugin> {
    let Some(value) = root.get("default-integrations") else { return Vec::new() };
    let value = ConfigValue::new(collector, "default-integrations".to_owned(), value);
    let mut listed: Vec<ListedPlugin> = Vec::new();
    for (text, item) in value.texts().unwrap_or_default() {
        if text.is_empty() {
            item.report("empty", "write a plugin's name or the path of its library");
        } else if listed.iter().any(|earlier| earlier.text == text) {
            item.report(format!("`{text}` is listed twice"), "remove one of them");
        } else {
            listed.push(ListedPlugin { text, line: item.line() });
        }
    }
    listed
}

/// A default; it is the code that is wrong if it does not parse.
fn built_in<T: FromStr<Err = (String, String)>>(text: &str) -> T {
    text.parse().unwrap_or_else(|(message, _)| panic!("the built-in default {text} is {message}"))
}

impl System {
    fn read<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) -> Self {
        let mut section = TableReader::section(collector, "system", root);
        let url_prefix = section.take("url-prefix").and_then(|value| url_prefix(&value));
        let listen = section.take("listen").and_then(|value| listen_address(&value));
        let proxies = section.take("trusted-proxies").and_then(|value| TrustedProxies::read(&value));
        let idle = section.take("idle-timeout").and_then(|value| value.number(1, 3600)).unwrap_or(75);
        let connections = section.take("max-connections").and_then(|value| value.number(1, 1_000_000));
        let requests = section.take("max-requests").and_then(|value| value.number(1, 1_000_000));
        let control = section.take("control").and_then(|value| control_path(&value));
        let secret_key = section.take("secret-key").and_then(|value| SecretKeySource::read(&value));
        section.finish();
        Self {
            url_prefix: url_prefix.unwrap_or_else(|| built_in("http://127.0.0.1:8000")),
            listen: listen.unwrap_or_else(|| "127.0.0.1:8000".to_owned()),
            trusted_proxies: proxies.unwrap_or_default(),
            idle_timeout: Duration::from_secs(idle),
            max_connections: connections.and_then(|connections| connections.try_into().ok()),
            max_requests: requests.and_then(|requests| requests.try_into().ok()),
            control: control.map_or_else(|| "data/jackfield.sock".into(), PathBuf::from),
            secret_key: secret_key.unwrap_or_else(|| SecretKeySource::built_in(collector.file())),
        }
    }
}

fn url_prefix(value: &ConfigValue<'_>) -> Option<UrlPrefix> {
    let prefix: UrlPrefix = value.parsed()?;
    if !prefix.is_https() && !prefix.is_loopback() {
        let message =
            "plain http, and not on this machine alone: passwords and cookies go through the network unencrypted";
        value.warn(message, "put a proxy that ends TLS in front of the host, and write the https URL that people type");
    }
    Some(prefix)
}

/// Longest path of a Unix socket, in bytes (`unix(7)`: 108 with the NUL at its end).
const LONGEST_SOCKET: usize = 107;

fn control_path(value: &ConfigValue<'_>) -> Option<String> {
    let path = value.text()?;
    if path.len() > LONGEST_SOCKET {
        let message = format!("a path of {} bytes, and a socket's has {LONGEST_SOCKET} at most", path.len());
        value.report(message, "write a shorter one, or one from the folder that the host is started in");
    }
    Some(path)
}

fn listen_address(value: &ConfigValue<'_>) -> Option<String> {
    let text = value.text()?;
    let is_address = text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if !is_address {
        value.report("not an address with a port", "write like 127.0.0.1:8000 or [::]:8000");
    }
    is_address.then_some(text)
}

impl Http {
    fn read<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) -> Self {
        let mut section = TableReader::section(collector, "http", root);
        let entries = section.take("allow-private").and_then(|value| value.items()).unwrap_or_default();
        let default = Self::default();
        let seconds = section.take("timeout").and_then(|value| value.number(1, 300));
        let bytes = section.take("max-response-bytes").and_then(|value| value.number(1, 1 << 30));
        let stand_in = section.take("stand-in").and_then(|value| value.parsed());
        section.finish();
        Self {
            allow_private: entries.iter().filter_map(allowed).collect(),
            timeout: seconds.map_or(default.timeout, Duration::from_secs),
            max_response_bytes: bytes
                .map_or(default.max_response_bytes, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            stand_in,
        }
    }
}

fn allowed(value: &ConfigValue<'_>) -> Option<AllowPrivate> {
    let entry: AllowPrivate = value.parsed()?;
    if let Some(network) = entry.network() {
        warn_of_everything(value, network, "plugins and services can lead the host to anything in your network");
    }
    Some(entry)
}

/// Every table that is not a section of ours is a provider's. The plugins check it once they are
/// loaded.
fn provider_options<'a>(
    collector: &'a DiagnosticCollector,
    root: &'a DeTable<'a>,
) -> BTreeMap<String, ProviderOptions> {
    let mut options = BTreeMap::new();
    for (key, value) in root.iter().filter(|(key, _)| !is_section(key.get_ref())) {
        let name = key.get_ref().to_string();
        let value = ConfigValue::new(collector, name.clone(), value);
        let is_slip = nearest(&name, SECTIONS).is_some();
        if is_list_of_tables(value.value) {
            let help = format!("write [{name}], with single brackets");
            value.report("wrong type: found a list of tables, wanted one table", help);
        } else if is_slip || !matches!(value.value, DeValue::Table(_)) {
            let line = collector.line(key.span().start);
            collector.report(Some(line), &name, "unknown key", help_for("", &name, &SECTIONS.into()));
        } else if let Some(read) = ProviderOptions::read(&value) {
            options.insert(name, read);
        }
    }
    options
}

/// `[[slack]]`.
fn is_list_of_tables(value: &DeValue<'_>) -> bool {
    value.as_array().is_some_and(|items| items.iter().next().is_some_and(|item| item.get_ref().is_table()))
}

impl Settings {
    /// Whether a top-level name is the host's own, so that no provider can have it as its id.
    #[must_use]
    pub fn is_section(name: &str) -> bool {
        is_section(name)
    }

    /// The same without plugins, so that loading it brings only the declared providers.
    #[must_use]
    pub fn without_plugins(mut self) -> Self {
        self.default_integrations.clear();
        self.options.clear();
        self.plugins.clear_overrides();
        self
    }

    /// A diagnostic about a key of the host's own, by its dotted name, that only a caller can find.
    pub fn diagnostic_of(&self, key: &str, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        self.diagnostic(key, self.lines.get(key).copied(), message.into(), help.into())
    }

    /// A diagnostic about this file that only a caller can find.
    #[must_use]
    pub fn diagnostic(&self, key: &str, line: Option<usize>, message: String, help: String) -> Diagnostic {
        Diagnostic { file: self.file.clone(), line, key: key.to_owned(), message, help }
    }
}
