//! `[plugins]`: where the libraries are, how they are run and what one of them may cost.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use jackfield_plugin_abi::host_pattern::HostPatternError;
use toml::de::DeTable;

use super::{
    HostPattern, TrustedKeys,
    document::{Node, Notes, Section},
    value,
};

/// `[plugins]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugins {
    /// Folders searched for the names of `default-integrations`.
    pub path: Vec<PathBuf>,
    /// What a plugin that does not load means for the start.
    pub on_failure: OnFailure,
    /// What a kernel that cannot hold a worker as it should means for the start.
    pub sandbox: SandboxPolicy,
    /// Whose signatures count, and whether plugins must be signed at all.
    pub trusted_keys: TrustedKeys,
    /// What plugins are told of the time, in seconds since 1970-01-01 UTC, where it is not the system's: for tests.
    pub clock: Option<i64>,
    /// How plugins are run that have no table of their own.
    all: Run,
    /// `[plugins.ENTRY]`, by entry of `default-integrations`.
    own: BTreeMap<String, Own>,
}

/// How one plugin is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where its code runs.
    pub isolation: Isolation,
    /// Longest it may take for one call.
    pub deadline: Duration,
    /// Largest address space of its worker, in MiB.
    pub memory: u64,
    /// The only hosts it may reach, of those it declares; `None` leaves it all of them.
    pub hosts: Option<Vec<HostPattern>>,
}

/// Where a plugin's code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// In a process of its own that can do nothing but answer.
    Process,
    /// In the host's process, with all of its rights.
    InProcess,
}

/// What a plugin that does not load means for the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The host does not start.
    Stop,
    /// The host starts with the others.
    Skip,
}

/// What a kernel that lacks a part of the sandbox means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxPolicy {
    /// Workers run with what there is; the log and `plugin list` say what is missing.
    BestEffort,
    /// No worker runs.
    Required,
}

/// What a table of its own says of a plugin and the general one does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Own {
    line: usize,
    isolation: Option<Isolation>,
    deadline: Option<Duration>,
    memory: Option<u64>,
    hosts: Option<Vec<HostPattern>>,
}

/// In MiB: the host's own binary is mapped into the worker as well.
const SMALLEST_MEMORY: u64 = 64;
const LARGEST_MEMORY: u64 = 1 << 20;
/// The end of the year 9999, in seconds since 1970.
const LATEST: u64 = 253_402_300_799;
/// In seconds.
const LONGEST_DEADLINE: u64 = 60;

impl Plugins {
    pub(super) fn read<'a>(notes: &'a Notes, root: &'a DeTable<'a>) -> Self {
        let mut section = Section::new(notes, "plugins", root);
        let path = section.take("path").map_or_else(
            || vec!["plugins".into()],
            |node| value::texts(&node).unwrap_or_default().into_iter().map(|(path, _)| path.into()).collect(),
        );
        let on_failure = word(&mut section, "on-failure", &[("stop", OnFailure::Stop), ("skip", OnFailure::Skip)]);
        let policies = [("best-effort", SandboxPolicy::BestEffort), ("required", SandboxPolicy::Required)];
        let sandbox = word(&mut section, "sandbox", &policies);
        let clock = section.take("clock").and_then(|node| value::number(&node, 1, LATEST));
        let all = Own::read(&mut section, 0).over(&Run::default());
        let trusted_keys = TrustedKeys::read(section.take("trusted-keys"));
        let tables = section.take_tables();
        section.finish();
        Self {
            path,
            on_failure: on_failure.unwrap_or(OnFailure::Stop),
            sandbox: sandbox.unwrap_or(SandboxPolicy::BestEffort),
            trusted_keys,
            clock: clock.and_then(|seconds| i64::try_from(seconds).ok()),
            all,
            own: tables.into_iter().map(|(entry, node)| (entry, own_table(&node))).collect(),
        }
    }

    /// How the plugin of an entry of `default-integrations` is run.
    #[must_use]
    pub fn run(&self, entry: &str) -> Run {
        self.own.get(entry).map_or_else(|| self.all.clone(), |own| own.over(&self.all))
    }

    pub(super) fn forget_tables(&mut self) {
        self.own.clear();
    }

    /// The entries that have a table of their own, each with its line.
    pub fn tables(&self) -> impl Iterator<Item = (&str, usize)> {
        self.own.iter().map(|(entry, own)| (entry.as_str(), own.line))
    }
}

impl Default for Run {
    fn default() -> Self {
        Self { isolation: Isolation::Process, deadline: Duration::from_secs(10), memory: 512, hosts: None }
    }
}

impl Isolation {
    /// As it is written in the file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::InProcess => "in-process",
        }
    }
}

fn own_table(node: &Node<'_>) -> Own {
    let mut section = Section::of(node);
    let own = Own::read(&mut section, node.line());
    section.finish();
    own
}

fn word<T: Copy>(section: &mut Section<'_>, key: &'static str, words: &[(&str, T)]) -> Option<T> {
    section.take(key).and_then(|node| value::word(&node, words))
}

impl Own {
    fn read(section: &mut Section<'_>, line: usize) -> Self {
        let places = [Isolation::Process, Isolation::InProcess].map(|isolation| (isolation.word(), isolation));
        let seconds = section.take("deadline").and_then(|node| value::number(&node, 1, LONGEST_DEADLINE));
        Self {
            line,
            isolation: word(section, "isolation", &places),
            deadline: seconds.map(Duration::from_secs),
            memory: section.take("memory").and_then(|node| value::number(&node, SMALLEST_MEMORY, LARGEST_MEMORY)),
            hosts: section.take("hosts").and_then(|node| hosts(&node)),
        }
    }

    fn over(&self, all: &Run) -> Run {
        Run {
            isolation: self.isolation.unwrap_or(all.isolation),
            deadline: self.deadline.unwrap_or(all.deadline),
            memory: self.memory.unwrap_or(all.memory),
            hosts: self.hosts.clone().or_else(|| all.hosts.clone()),
        }
    }
}

/// A list with a diagnostic in it narrows to what is left: never to more than was written.
fn hosts(node: &Node<'_>) -> Option<Vec<HostPattern>> {
    Some(node.items()?.iter().filter_map(host).collect())
}

fn host(node: &Node<'_>) -> Option<HostPattern> {
    let parsed = value::text(node)?.parse::<HostPattern>();
    parsed.map_err(|error| node.diagnostic(error.to_string(), HostPatternError::HELP)).ok()
}
