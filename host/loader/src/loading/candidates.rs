//! Starts the plugin of each entry, unless one runs already that would come out the same.
//!
//! Each starts on its own, within one deadline for the whole of its start. Who does not want to
//! wait for all of them gets the others as [`StartingCandidate`]s.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use jackfield_config::{ListedPlugin, ProviderOptions, Settings};
use tokio::{task::JoinHandle, time::timeout};

use super::load_progress::LoadProgress;
use crate::{
    declared,
    library::{Lock, verify_entry},
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
}

/// An entry whose plugin has not started yet. It is ended when this is dropped.
pub(super) struct StartingCandidate {
    pub(super) listed: ListedPlugin,
    pub(super) running: Option<Arc<Plugin>>,
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
        Candidate { plugin: self.start.result().await, listed: self.listed, running: self.running }
    }
}

/// What came of all listed libraries, then of the declared providers, in this order; and what has
/// not started after `patience`.
pub(super) async fn candidates(
    settings: &Arc<Settings>,
    lock: &Arc<Option<Lock>>,
    running: &[Arc<Plugin>],
    progress: &LoadProgress,
    patience: Duration,
) -> (Vec<Candidate>, Vec<StartingCandidate>) {
    let end = Instant::now() + patience;
    let (mut ready, mut late) = (Vec::new(), Vec::new());
    for mut starting in start_all(settings, lock, running, progress) {
        let left = end.saturating_duration_since(Instant::now());
        match timeout(left, starting.start.result()).await {
            Ok(plugin) => ready.push(Candidate { plugin, listed: starting.listed, running: starting.running }),
            Err(_) => late.push(starting),
        }
    }
    (ready, late)
}

fn start_all(
    settings: &Arc<Settings>,
    lock: &Arc<Option<Lock>>,
    running: &[Arc<Plugin>],
    progress: &LoadProgress,
) -> Vec<StartingCandidate> {
    let mut all = Vec::new();
    for listed in &settings.default_integrations {
        let spec = library_spec(settings.clone(), listed.text.clone(), lock.clone());
        all.push(starting(settings, listed.clone(), spec, running, progress));
    }
    for (id, options) in &settings.providers {
        let listed = ListedPlugin { text: declared::entry_name(id), line: options.line_of("") };
        let spec = std::future::ready(Ok(declared_spec(settings, id, options)));
        all.push(starting(settings, listed, spec, running, progress));
    }
    all
}

fn starting(
    settings: &Settings,
    listed: ListedPlugin,
    spec: impl Future<Output = Result<LaunchSpec, Refusal>> + Send + 'static,
    running: &[Arc<Plugin>],
    progress: &LoadProgress,
) -> StartingCandidate {
    let before = running.iter().find(|plugin| plugin.entry() == listed.text).cloned();
    let deadline = START_DEADLINE.max(3 * settings.plugins.settings_for(&listed.text).deadline);
    let (entry, all_running, mark) = (listed.text.clone(), running.to_vec(), progress.begin(&listed.text));
    let start = tokio::spawn(async move {
        let _mark = mark;
        let started = timeout(deadline, start(spec, &all_running)).await;
        started.unwrap_or(Err(Refusal::NotInTime { entry, deadline }))
    });
    StartingCandidate { listed, running: before, start: Start(start) }
}

async fn start(
    spec: impl Future<Output = Result<LaunchSpec, Refusal>>,
    running: &[Arc<Plugin>],
) -> Result<Arc<Plugin>, Refusal> {
    let spec = spec.await?;
    match running.iter().find(|plugin| plugin.is_same(&spec)) {
        Some(same) => Ok(same.clone()),
        None => Plugin::start(spec).await.map(Arc::new),
    }
}

/// The library of an entry, verified. None of it has run yet.
async fn library_spec(settings: Arc<Settings>, entry: String, lock: Arc<Option<Lock>>) -> Result<LaunchSpec, Refusal> {
    let (name, plugins) = (entry.clone(), settings.plugins.clone());
    let verified = tokio::task::spawn_blocking(move || {
        LaunchSpec::library(&verify_entry(&name, &plugins, Option::as_ref(&lock))?)
    });
    let spec = verified.await.expect("verifying a file does not panic")?;
    Ok(spec.with_options(settings.options.clone()).configured(&entry, &settings))
}

fn declared_spec(settings: &Settings, id: &str, options: &ProviderOptions) -> LaunchSpec {
    declared::declared_launch_spec(id, options, &settings.file).configured(&declared::entry_name(id), settings)
}
