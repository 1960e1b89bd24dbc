//! `[plugins]`: where the libraries are, how they run and what one of them may use.

use std::{collections::BTreeMap, num::NonZeroUsize, path::PathBuf, time::Duration};

use jackfield_plugin_abi::host_pattern::{HostPattern, HostPatternError};
use toml::de::DeTable;

use super::{
    config_value::ConfigValue, diagnostic_collector::DiagnosticCollector, table_reader::TableReader,
    trusted_key::TrustedKeys,
};

/// `[plugins]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugins {
    /// Folders in which the names of `default-integrations` are looked up.
    pub path: Vec<PathBuf>,
    /// What the host does at the start if a plugin does not load.
    pub on_failure: OnFailure,
    /// What the host does if the kernel cannot sandbox a worker completely.
    pub sandbox: SandboxPolicy,
    /// Whose signatures are accepted, and whether plugins must be signed at all.
    pub trusted_keys: TrustedKeys,
    /// The time that plugins see, in seconds since 1970-01-01 UTC, if it is not the system's: for
    /// tests.
    pub clock: Option<i64>,
    /// For plugins without a table of their own.
    defaults: PluginSettings,
    /// `[plugins.ENTRY]`, by entry of `default-integrations`.
    overrides: BTreeMap<String, PluginOverrides>,
}

/// How one plugin runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginSettings {
    /// Where its code runs.
    pub isolation: Isolation,
    /// Longest it may take for one call.
    pub deadline: Duration,
    /// Largest address space of its worker, in MiB.
    pub memory: u64,
    /// Most workers of it that run at a time. Each answers one call at a time.
    pub workers: NonZeroUsize,
    /// The only hosts it may contact, of those it declares; `None`: all of them.
    pub hosts: Option<Vec<HostPattern>>,
    /// The ids of the providers that it may have; `None`: those that nobody else has.
    pub providers: Option<Vec<String>>,
    /// Types of identities of other plugins that it may bring.
    pub identities: Vec<String>,
}

/// Where a plugin's code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// In a sandboxed process of its own.
    Process,
    /// In the host's process, with all of its rights.
    InProcess,
}

/// What the host does at the start if a plugin does not load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It does not start.
    Stop,
    /// It starts with the others.
    Skip,
}

/// What the host does if the kernel lacks a part of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxPolicy {
    /// Workers run with what there is. The log and `plugin list` say what is missing.
    BestEffort,
    /// No worker runs.
    Required,
}

/// What `[plugins.ENTRY]` sets. The rest is as in `[plugins]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PluginOverrides {
    line: usize,
    isolation: Option<Isolation>,
    deadline: Option<Duration>,
    memory: Option<u64>,
    workers: Option<NonZeroUsize>,
    hosts: Option<Vec<HostPattern>>,
    providers: Option<Vec<String>>,
    identities: Vec<String>,
}

/// In MiB. The worker also maps the host's own binary.
const SMALLEST_MEMORY: u64 = 64;
const LARGEST_MEMORY: u64 = 1 << 20;
/// The end of the year 9999, in seconds since 1970.
const LATEST: u64 = 253_402_300_799;
/// In seconds.
const LONGEST_DEADLINE: u64 = 60;
/// More than there are cores helps only where steps wait without a request to the host.
const MOST_WORKERS: u64 = 64;

impl Plugins {
    pub(super) fn read<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) -> Self {
        let mut section = TableReader::section(collector, "plugins", root);
        let path = section.take("path").map_or_else(|| vec!["plugins".into()], |value| folders(&value));
        let on_failure = choice(&mut section, "on-failure", &[("stop", OnFailure::Stop), ("skip", OnFailure::Skip)]);
        let policies = [("best-effort", SandboxPolicy::BestEffort), ("required", SandboxPolicy::Required)];
        let sandbox = choice(&mut section, "sandbox", &policies);
        let clock = section.take("clock").and_then(|value| value.number(1, LATEST));
        let defaults = PluginOverrides::read(&mut section, 0).applied_to(&PluginSettings::default());
        let trusted_keys = TrustedKeys::read(section.take("trusted-keys"));
        let tables = section.take_tables();
        section.finish();
        Self {
            path,
            on_failure: on_failure.unwrap_or(OnFailure::Stop),
            sandbox: sandbox.unwrap_or(SandboxPolicy::BestEffort),
            trusted_keys,
            clock: clock.and_then(|seconds| i64::try_from(seconds).ok()),
            defaults,
            overrides: tables.into_iter().map(|(entry, value)| (entry, PluginOverrides::read_table(&value))).collect(),
        }
    }

    /// How the plugin of an entry of `default-integrations` runs.
    #[must_use]
    pub fn settings_for(&self, entry: &str) -> PluginSettings {
        self.overrides
            .get(entry)
            .map_or_else(|| self.defaults.clone(), |overrides| overrides.applied_to(&self.defaults))
    }

    pub(super) fn clear_overrides(&mut self) {
        self.overrides.clear();
    }

    /// The entry of whose plugin the operator has said that it has a provider.
    #[must_use]
    pub fn entry_of_provider(&self, id: &str) -> Option<&str> {
        let names = |overrides: &PluginOverrides| {
            overrides.providers.as_ref().is_some_and(|ids| ids.iter().any(|named| named == id))
        };
        self.overrides.iter().find(|(_, overrides)| names(overrides)).map(|(entry, _)| entry.as_str())
    }

    /// The entries that have a table of their own, each with its line.
    pub fn tables(&self) -> impl Iterator<Item = (&str, usize)> {
        self.overrides.iter().map(|(entry, overrides)| (entry.as_str(), overrides.line))
    }
}

impl Default for PluginSettings {
    fn default() -> Self {
        Self {
            isolation: Isolation::Process,
            deadline: Duration::from_secs(10),
            memory: 512,
            workers: NonZeroUsize::MIN,
            hosts: None,
            providers: None,
            identities: Vec::new(),
        }
    }
}

impl Isolation {
    /// Its word in the file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::InProcess => "in-process",
        }
    }
}

fn choice<T: Copy>(section: &mut TableReader<'_>, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
    section.take(key).and_then(|value| value.choice(choices))
}

impl PluginOverrides {
    fn read_table(value: &ConfigValue<'_>) -> Self {
        let mut table = TableReader::of(value);
        let overrides = Self {
            providers: table.take("providers").and_then(|value| names(&value)),
            identities: table.take("identities").and_then(|value| names(&value)).unwrap_or_default(),
            ..Self::read(&mut table, value.line())
        };
        table.finish();
        overrides
    }

    fn read(table: &mut TableReader<'_>, line: usize) -> Self {
        let isolations = [Isolation::Process, Isolation::InProcess].map(|isolation| (isolation.word(), isolation));
        let seconds = table.take("deadline").and_then(|value| value.number(1, LONGEST_DEADLINE));
        Self {
            line,
            isolation: choice(table, "isolation", &isolations),
            deadline: seconds.map(Duration::from_secs),
            memory: table.take("memory").and_then(|value| value.number(SMALLEST_MEMORY, LARGEST_MEMORY)),
            workers: table.take("workers").and_then(|value| workers(&value)),
            hosts: table.take("hosts").and_then(|value| hosts(&value)),
            ..Self::default()
        }
    }

    fn applied_to(&self, defaults: &PluginSettings) -> PluginSettings {
        PluginSettings {
            isolation: self.isolation.unwrap_or(defaults.isolation),
            deadline: self.deadline.unwrap_or(defaults.deadline),
            memory: self.memory.unwrap_or(defaults.memory),
            workers: self.workers.unwrap_or(defaults.workers),
            hosts: self.hosts.clone().or_else(|| defaults.hosts.clone()),
            providers: self.providers.clone(),
            identities: self.identities.clone(),
        }
    }
}

/// A mistake here would have each plugin missed besides, so what is likely meant is gone on with.
fn folders(value: &ConfigValue<'_>) -> Vec<PathBuf> {
    match value.value.as_str() {
        Some(folder) => {
            value.report_wrong_type("a list, [ … ]");
            vec![folder.into()]
        }
        None => match value.texts() {
            Some(folders) => folders.into_iter().map(|(folder, _)| folder.into()).collect(),
            None => vec!["plugins".into()],
        },
    }
}

fn workers(value: &ConfigValue<'_>) -> Option<NonZeroUsize> {
    let number = value.number(1, MOST_WORKERS)?;
    usize::try_from(number).ok().and_then(NonZeroUsize::new)
}

fn names(value: &ConfigValue<'_>) -> Option<Vec<String>> {
    Some(value.texts()?.into_iter().map(|(name, _)| name).collect())
}

/// A list with a mistake in it narrows to what is left, so it never allows more than was written.
fn hosts(value: &ConfigValue<'_>) -> Option<Vec<HostPattern>> {
    Some(value.items()?.iter().filter_map(host).collect())
}

fn host(value: &ConfigValue<'_>) -> Option<HostPattern> {
    let parsed = value.text()?.parse::<HostPattern>();
    parsed.map_err(|error| value.report(error.to_string(), HostPatternError::HELP)).ok()
}
