//! Starts the plugin of each entry, unless one runs already that would come out the same.
//!
//! Each starts on its own, within one deadline for the whole of its start. Who does not want to
//! wait for all of them gets the others as [`StartingCandidate`]s.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jackfield_config::{ListedPlugin, Settings};
use tokio::{task::JoinHandle, time::timeout};

use super::{
    introduction::{Introduced, introduce},
    load_progress::LoadProgress,
};
use crate::{
    dispute::Dispute,
    library::Lock,
    provider_owner::ProviderOwners,
    refusal::Refusal,
    runtime::{LaunchSpec, Plugin},
};

/// Longest time from the first word of a plugin to the description of its last provider, unless
/// three calls may take longer.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// What came of one entry.
pub(super) struct Candidate {
    pub(super) listed: ListedPlugin,
    /// The plugin as the configuration has it now.
    pub(super) plugin: Result<Arc<Plugin>, Refusal>,
    /// The plugin that runs for this entry so far.
    pub(super) running: Option<Arc<Plugin>>,
    /// The providers that it has and may not have.
    pub(super) disputes: Vec<Dispute>,
}

/// An entry whose plugin has not started yet. It is ended when this is dropped.
pub(super) struct StartingCandidate {
    pub(super) listed: ListedPlugin,
    pub(super) running: Option<Arc<Plugin>>,
    disputes: Vec<Dispute>,
    start: Start,
}

struct Start(JoinHandle<Result<Arc<Plugin>, Refusal>>);

impl Drop for Start {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Start {
    async fn result(&mut self) -> Result<Arc<Plugin>, Refusal> {
        (&mut self.0).await.expect("starting a plugin does not panic")
    }
}

impl StartingCandidate {
    /// Waits for it.
    pub(super) async fn finish(mut self) -> Candidate {
        let plugin = self.start.result().await;
        self.with(plugin)
    }

    fn with(self, plugin: Result<Arc<Plugin>, Refusal>) -> Candidate {
        Candidate { plugin, listed: self.listed, running: self.running, disputes: self.disputes }
    }
}

/// What came of all listed libraries, then of the declared providers, in this order; and what has
/// not started after `patience`.
pub(super) async fn candidates(
    settings: &Arc<Settings>,
    lock: &Arc<Option<Lock>>,
    owners: &ProviderOwners,
    running: &[Arc<Plugin>],
    progress: &LoadProgress,
    patience: Duration,
) -> (Vec<Candidate>, Vec<StartingCandidate>) {
    let end = Instant::now() + patience;
    let introduced = introduce(settings, lock, owners, running, progress).await;
    let starting = introduced.into_iter().map(|introduced| start(settings, introduced, running));
    let starting: Vec<StartingCandidate> = starting.collect();
    let (mut ready, mut late) = (Vec::new(), Vec::new());
    for mut starting in starting {
        let left = end.saturating_duration_since(Instant::now());
        match timeout(left, starting.start.result()).await {
            Ok(plugin) => ready.push(starting.with(plugin)),
            Err(_) => late.push(starting),
        }
    }
    (ready, late)
}

fn start(settings: &Settings, introduced: Introduced, running: &[Arc<Plugin>]) -> StartingCandidate {
    let Introduced { listed, spec, disputes, mark } = introduced;
    let before = running.iter().find(|plugin| plugin.entry() == listed.text).cloned();
    let deadline = START_DEADLINE.max(3 * settings.plugins.settings_for(&listed.text).deadline);
    let (entry, all_running) = (listed.text.clone(), running.to_vec());
    let refused = disputes.iter().map(|dispute| dispute.id().to_owned()).collect();
    let start = tokio::spawn(async move {
        let _mark = mark;
        let spec = spec?.without_providers(refused);
        let started = timeout(deadline, start_or_keep(spec, &all_running)).await;
        started.unwrap_or(Err(Refusal::NotInTime { entry, deadline }))
    });
    StartingCandidate { listed, running: before, disputes, start: Start(start) }
}

async fn start_or_keep(spec: LaunchSpec, running: &[Arc<Plugin>]) -> Result<Arc<Plugin>, Refusal> {
    match running.iter().find(|plugin| plugin.is_same(&spec)) {
        Some(same) => Ok(same.clone()),
        None => Plugin::start(spec).await.map(Arc::new),
    }
}
