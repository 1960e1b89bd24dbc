//! A plugin under the operator's configuration, kept running.
//!
//! What a plugin can do to others ends here. One that was ended, or that a panic may have left half
//! changed, is never asked again. The next is started after a pause that grows, and a question that
//! another question's end cut short is repeated there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jackfield_limits::{Backoff, FailurePolicy, Failures};
use jackfield_plugin_abi::envelope::{Question, TaskResult};
use parking_lot::Mutex as Lock;
use tokio::sync::Mutex;

use super::{
    described_provider::{DescribedProvider, describe, is_same_description},
    error::PluginError,
    host_services::HostServices,
    launch_spec::LaunchSpec,
    plugin_status::{PluginState, PluginStatus},
    redactor::Redactor,
    running_plugin::RunningPlugin,
    transcript::Transcript,
    transport::TransportError,
};
use crate::{library::PluginInfo, refusal::Refusal};

/// A loaded plugin.
pub(crate) struct Plugin {
    spec: LaunchSpec,
    /// Its providers as they were first described. A restarted plugin has to describe them the
    /// same.
    providers: Vec<DescribedProvider>,
    redactor: Redactor,
    slot: Mutex<Slot>,
    calls: AtomicU64,
    restarts: AtomicU64,
    last_error: Lock<Option<String>>,
}

/// The plugin that runs now, if one does.
#[derive(Default)]
struct Slot {
    running: Option<Arc<RunningPlugin>>,
    failures: Failures<Instant>,
}

/// The first failure costs no pause: it has cost one setup, and the next need not wait.
const RESTARTS: FailurePolicy = FailurePolicy {
    free: 1,
    backoff: Backoff::new(Duration::from_millis(50), Duration::from_secs(5)),
    forgotten_after: Duration::from_secs(60),
};

/// How often a question is asked when other questions end its plugin.
const MAX_ATTEMPTS: usize = 5;

impl Plugin {
    /// Starts a plugin and creates an instance of each of its providers. A provider that cannot be
    /// created has its error beside it.
    pub(crate) async fn start(spec: LaunchSpec) -> Result<Self, Refusal> {
        if let Some(mut probe) = spec.start_probe().await.map_err(|error| spec.refusal(error))? {
            describe(&mut probe, &spec).await?;
        }
        let mut running = spec.start().await.map_err(|error| spec.refusal(error))?;
        let providers = describe(&mut running, &spec).await?;
        warn_of_missing(&spec, &running);
        let secrets = providers.iter().flat_map(|provider| provider.options.secrets());
        let slot = Slot { running: Some(Arc::new(running)), failures: Failures::default() };
        Ok(Self {
            redactor: Redactor::new(secrets.collect()),
            spec,
            providers,
            slot: Mutex::new(slot),
            calls: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            last_error: Lock::default(),
        })
    }

    /// Its entry of `default-integrations`, or `providers.NAME`.
    pub(crate) fn entry(&self) -> &str {
        self.spec.entry()
    }

    /// The library, or the declaration in its place.
    pub(crate) const fn info(&self) -> &PluginInfo {
        self.spec.info()
    }

    /// Whether the operator has declared it, so that there is no library.
    pub(crate) const fn is_declared(&self) -> bool {
        self.spec.is_declared()
    }

    /// Whether each of its providers could be created.
    pub(crate) fn is_complete(&self) -> bool {
        self.providers.iter().all(|provider| provider.description.is_ok())
    }

    /// Its providers as it describes them.
    pub(crate) fn providers(&self) -> &[DescribedProvider] {
        &self.providers
    }

    /// Whether starting from `spec` would give the same plugin.
    pub(crate) fn is_same(&self, spec: &LaunchSpec) -> bool {
        self.spec.is_same(spec, self.providers.iter().map(|provider| provider.named.id.as_str()))
    }

    /// Asks one of its providers, and answers the requests that it makes.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        provider: &str,
        redactor: &Redactor,
        services: &HostServices<'_>,
        question: Question,
    ) -> Result<TaskResult, PluginError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut transcript = Transcript::begin(self.spec.clock().clone());
        for _ in 0..MAX_ATTEMPTS {
            let running = self.running().await?;
            let client = running.client(&self.info().name, redactor.clone());
            let instance = running.instance(provider);
            match client.ask(services, instance, question.clone(), &mut transcript).await {
                Err(PluginError::Transport(TransportError::Gone)) => {}
                Err(error) if error.is_fatal() => return Err(self.retire(&running, error).await),
                other => return other,
            }
        }
        Err(TransportError::Gone.into())
    }

    /// The plugin that runs now, or a restarted one after its pause.
    async fn running(&self) -> Result<Arc<RunningPlugin>, PluginError> {
        let mut slot = self.slot.lock().await;
        match &slot.running {
            Some(running) if running.is_live() => return Ok(running.clone()),
            Some(_) => {
                slot.running = None;
                let error = TransportError::Gone;
                tracing::warn!(
                    plugin.name = self.info().name,
                    plugin.reason = error.reason(),
                    "the plugin has to be restarted: {error}"
                );
                self.note_failure(&mut slot, &error.to_string());
            }
            None => {}
        }
        tokio::time::sleep(slot.failures.wait(RESTARTS, Instant::now())).await;
        match self.restart().await {
            Ok(running) => {
                self.restarts.fetch_add(1, Ordering::Relaxed);
                let (name, pid) = (&self.info().name, running.pid());
                tracing::info!(plugin.name = name, worker.pid = pid, "the plugin was restarted");
                Ok(slot.running.insert(Arc::new(running)).clone())
            }
            Err(error) => {
                self.note_failure(&mut slot, &error.to_string());
                Err(error)
            }
        }
    }

    async fn restart(&self) -> Result<RunningPlugin, PluginError> {
        let started = self.spec.start().await;
        let mut running = started.map_err(|error| PluginError::from(error).redacted(&self.redactor).bounded())?;
        for DescribedProvider { named, options, description } in &self.providers {
            let Ok(before) = description else { continue };
            let now = running.create(&self.info().name, &named.id, options).await?;
            if !is_same_description(&now, before) {
                return Err(PluginError::DescriptionChanged(named.id.clone()));
            }
        }
        Ok(running)
    }

    /// Takes a running plugin out of use after an error. Starts the next at once, so that the next
    /// question need not wait.
    async fn retire(self: &Arc<Self>, running: &Arc<RunningPlugin>, error: PluginError) -> PluginError {
        let error = error.redacted(&self.redactor).bounded();
        let mut slot = self.slot.lock().await;
        if slot.running.as_ref().is_some_and(|present| Arc::ptr_eq(present, running)) {
            slot.running = None;
            self.note_failure(&mut slot, &error.to_string());
            let plugin = self.clone();
            tokio::spawn(async move { plugin.running().await.map(drop) });
        }
        error
    }

    fn note_failure(&self, slot: &mut Slot, error: &str) {
        slot.failures.record(RESTARTS, Instant::now());
        *self.last_error.lock() = Some(error.to_owned());
    }

    /// How it is doing, without its providers.
    pub(crate) fn status(&self) -> PluginStatus {
        let running = self.slot.try_lock().ok().and_then(|slot| slot.running.clone());
        let running = running.filter(|running| running.is_live());
        PluginStatus {
            entry: self.entry().to_owned(),
            info: self.info().clone(),
            isolation: self.spec.isolation().to_owned(),
            state: if running.is_some() { PluginState::Running } else { PluginState::Restarting },
            pid: running.as_ref().and_then(|running| running.pid()),
            sandbox: running.and_then(|running| running.sandbox().cloned()),
            calls: self.calls.load(Ordering::Relaxed),
            restarts: self.restarts.load(Ordering::Relaxed),
            last_error: self.last_error.lock().clone(),
            providers: Vec::new(),
        }
    }
}

fn warn_of_missing(spec: &LaunchSpec, running: &RunningPlugin) {
    let missing = running.sandbox().map(|sandbox| sandbox.missing.join(", ")).unwrap_or_default();
    if !missing.is_empty() {
        tracing::warn!(
            plugin.name = spec.info().name,
            missing,
            "the plugin's worker is not held by all of the sandbox: this system lacks a part of it"
        );
    }
}
