//! What a check is asked to do, and what it has found.

use std::time::Duration;

use jackfield_loader::{PluginInfo, Sandbox};
use jackfield_plugin_abi::envelope::{CreateOut, NamedProvider};

use super::{behaviour::Behaviour, budget::Budget, plugin_under_test::CreateError, problem::Finding};

/// How much a check asks.
#[derive(Clone, Copy, Debug)]
pub struct CheckOptions {
    /// Invented questions for each step of each provider.
    pub questions: u32,
    /// The same seed invents the same questions.
    pub seed: u64,
}

/// What a check has found.
#[derive(Debug)]
pub struct CheckReport {
    /// The library's path, or the table that declares the provider.
    pub entry: String,
    /// The library.
    pub info: PluginInfo,
    /// The sandbox of its worker.
    pub sandbox: Sandbox,
    /// From the start of its worker until it took questions.
    pub started_in: Duration,
    /// Its providers.
    pub providers: Vec<CheckedProvider>,
    /// Providers that were not checked: the check has cost all that it may.
    pub unchecked: usize,
}

/// What a check has found of one provider.
#[derive(Debug)]
pub struct CheckedProvider {
    /// The provider.
    pub named: NamedProvider,
    /// Its description without any options, or with the table that declares it; or why there is
    /// none.
    pub description: Result<CreateOut, CreateError>,
    /// The hosts that it asks to reach.
    pub reach: String,
    /// How it behaved.
    pub behaviour: Behaviour,
}

impl CheckReport {
    /// What a check may cost, in words.
    #[must_use]
    pub fn limits() -> String {
        Budget::limits()
    }

    /// What the author has to fix or should know, each with the id of its provider.
    pub fn problems(&self) -> impl Iterator<Item = (&str, &Finding)> {
        self.providers.iter().flat_map(|provider| {
            provider.behaviour.findings.iter().map(|finding| (provider.named.id.as_str(), finding))
        })
    }
}
