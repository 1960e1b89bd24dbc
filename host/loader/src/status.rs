//! How the plugins are doing, as data: what `plugin list` shows, from a running host or from a trial start.

use serde::{Deserialize, Serialize};

use super::{PluginInfo, Sandbox};

/// How one plugin is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginStatus {
    /// Entry of `default-integrations`.
    pub entry: String,
    /// The library.
    pub info: PluginInfo,
    /// `process` or `in-process`.
    pub isolation: String,
    /// Whether it can be asked now.
    pub state: State,
    /// Process id of its worker.
    pub pid: Option<u32>,
    /// What holds its worker.
    pub sandbox: Option<Sandbox>,
    /// Questions that it was asked since it was loaded.
    pub calls: u64,
    /// How often it was started anew.
    pub restarts: u64,
    /// What it was last started anew for.
    pub last_error: Option<String>,
    /// Its providers.
    pub providers: Vec<ProviderStatus>,
}

/// Whether a plugin can be asked now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It runs.
    Running,
    /// It has ended and is being started anew.
    #[default]
    #[serde(other)]
    Restarting,
}

/// One provider of a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProviderStatus {
    /// Its id.
    pub id: String,
    /// What people read.
    pub name: String,
    /// Whether it is offered to people.
    pub is_configured: bool,
    /// Options that keep it from being offered.
    pub missing: Vec<String>,
    /// The hosts it may reach, in words.
    pub hosts: String,
}
