//! A plugin under the operator's configuration, kept running.
//!
//! What a plugin can do to others ends here. One that was ended, or that a panic may have left half
//! changed, is never asked again. The next is started after a pause that grows, and a question that
//! another question's end cut short is repeated there.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures_util::FutureExt;
use jackfield_plugin_abi::envelope::{Question, TaskResult};
use parking_lot::Mutex;

use super::{
    described_provider::{DescribedProvider, describe, is_same_description},
    error::PluginError,
    host_services::HostServices,
    launch_spec::LaunchSpec,
    plugin_status::{PluginState, PluginStatus},
    redactor::Redactor,
    running_plugin::RunningPlugin,
    slot::{Slot, Start},
    transcript::Transcript,
    transport::TransportError,
    worker::forbidden_calls_help,
};
use crate::{library::PluginInfo, refusal::Refusal};

/// A loaded plugin.
pub(crate) struct Plugin {
    spec: LaunchSpec,
    /// Its providers as they were first described. A restarted plugin has to describe them the
    /// same.
    providers: Vec<DescribedProvider>,
    redactor: Redactor,
    /// One for each worker that the operator allows. The first is filled at the start, the others
    /// when all before them are busy.
    slots: Vec<Slot>,
    calls: AtomicU64,
    restarts: AtomicU64,
    last_error: Mutex<Option<String>>,
}

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
        let mut slots = vec![Slot::default(); spec.workers()];
        slots[0] = Slot::filled(running);
        Ok(Self {
            redactor: Redactor::new(secrets.collect()),
            spec,
            providers,
            slots,
            calls: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            last_error: Mutex::default(),
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
            let slot = self.least_busy();
            let _question = slot.begin();
            let running = self.running(slot).await?;
            let client = running.client(&self.info().name, redactor.clone());
            let instance = running.instance(provider);
            match client.ask(services, instance, question.clone(), &mut transcript).await {
                Err(PluginError::Transport(TransportError::Gone)) => {}
                Err(error) if self.has_ended(&error) => return Err(self.retire(slot, &running, error)),
                other => return other,
            }
        }
        Err(TransportError::Gone.into())
    }

    /// The slot for the next question: one that runs and has nothing to do, else one in which
    /// another worker can start, else the one with the fewest questions. A conversation stays where
    /// it began.
    fn least_busy(&self) -> &Slot {
        let rank = |slot: &&Slot| (slot.questions(), slot.present().is_none());
        self.slots.iter().min_by_key(rank).expect("a plugin has at least one slot")
    }

    /// Whether an error means that the running plugin must not be asked again. In this process a
    /// library that is opened anew stays in memory for ever, and the glue has replaced the instance
    /// that panicked.
    fn has_ended(&self, error: &PluginError) -> bool {
        error.is_fatal() && !(self.spec.is_in_process() && error.is_panic())
    }

    /// The plugin that runs in a slot, or a restarted one.
    async fn running(self: &Arc<Self>, slot: &Slot) -> Result<Arc<RunningPlugin>, PluginError> {
        let lost = |error: &PluginError| {
            tracing::warn!(
                plugin.name = self.info().name,
                plugin.reason = error.reason(),
                "the plugin has to be restarted: {error}"
            );
            self.note_error(error);
        };
        slot.running(|| self.clone().starting(), lost).await
    }

    fn starting(self: Arc<Self>) -> Start {
        async move {
            let started = self.restart().await;
            match &started {
                Ok(running) => {
                    self.restarts.fetch_add(1, Ordering::Relaxed);
                    let (name, pid) = (&self.info().name, running.pid());
                    tracing::info!(plugin.name = name, worker.pid = pid, "the plugin was restarted");
                }
                Err(error) => self.note_error(error),
            }
            started
        }
        .boxed()
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
    fn retire(self: &Arc<Self>, slot: &Slot, running: &Arc<RunningPlugin>, error: PluginError) -> PluginError {
        let error = error.redacted(&self.redactor).bounded();
        if slot.retire(running) {
            self.note_error(&error);
            let (plugin, slot) = (self.clone(), slot.clone());
            tokio::spawn(async move { plugin.running(&slot).await.map(drop) });
        }
        error
    }

    fn note_error(&self, error: &PluginError) {
        *self.last_error.lock() = Some(error.to_string());
    }

    /// How it is doing, without its providers.
    pub(crate) fn status(&self) -> PluginStatus {
        let all: Vec<_> = self.slots.iter().filter_map(Slot::present).collect();
        let pids: Vec<u32> = all.iter().filter_map(|running| running.pid()).collect();
        let running = all.first();
        PluginStatus {
            entry: self.entry().to_owned(),
            info: self.info().clone(),
            isolation: self.spec.isolation().to_owned(),
            state: if running.is_some() { PluginState::Running } else { PluginState::Restarting },
            pid: pids.first().copied(),
            workers: if pids.is_empty() { 0 } else { self.slots.len() },
            pids,
            sandbox: running.and_then(|running| running.sandbox().cloned()),
            calls: self.calls.load(Ordering::Relaxed),
            restarts: self.restarts.load(Ordering::Relaxed),
            last_error: self.last_error.lock().clone(),
            providers: Vec::new(),
        }
    }
}

fn warn_of_missing(spec: &LaunchSpec, running: &RunningPlugin) {
    let Some(sandbox) = running.sandbox().filter(|sandbox| !sandbox.missing.is_empty()) else { return };
    let help = (!sandbox.forbidden.is_empty()).then(|| forbidden_calls_help(&sandbox.forbidden));
    tracing::warn!(
        plugin.name = spec.info().name,
        missing = sandbox.missing.join(", "),
        help,
        "the plugin's worker is not held by all of the sandbox: this system lacks a part of it"
    );
}
