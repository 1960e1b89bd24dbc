//! How the plugins are doing, as data: what `plugin list` shows, from a running host or from a
//! trial start.

use serde::{Deserialize, Serialize};

use super::worker::Sandbox;
use crate::library::PluginInfo;

/// How one plugin is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginStatus {
    /// Entry of `default-integrations`.
    pub entry: String,
    /// The library.
    pub info: PluginInfo,
    /// `process`, `in-process` or `declared`.
    pub isolation: String,
    /// Whether it takes a question now.
    pub state: PluginState,
    /// Process id of its first worker.
    pub pid: Option<u32>,
    /// Process ids of all its workers.
    pub pids: Vec<u32>,
    /// Most workers that may run at a time; 0 where there is no worker.
    pub workers: usize,
    /// The sandbox of its worker.
    pub sandbox: Option<Sandbox>,
    /// Questions that it was asked since it was loaded.
    pub calls: u64,
    /// How often it was restarted.
    pub restarts: u64,
    /// Why it was last restarted.
    pub last_error: Option<String>,
    /// Its providers.
    pub providers: Vec<ProviderStatus>,
}

/// Whether a plugin takes a question now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginState {
    /// It runs.
    Running,
    /// It is being started for the first time.
    Starting,
    /// It did not start.
    NotLoaded,
    /// It has ended and is being restarted.
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
    /// Its name, as people read it.
    pub name: String,
    /// Whether it is offered to people.
    pub is_configured: bool,
    /// Options without which it is not offered.
    pub missing: Vec<String>,
    /// The hosts it may reach, in words.
    pub hosts: String,
}
