//! A plugin under the operator's configuration, kept running.
//!
//! What a plugin can do to others ends here: a life that was ended or may be half changed is never asked again, the next one is started
//! after a pause that grows, and a conversation that was cut short on account of another is repeated in it.

use std::{
    sync::{
        Arc, Mutex as Lock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use jackfield_plugin_abi::envelope::{CreateOut, Question, TaskResult};
use time::OffsetDateTime;
use tokio::sync::Mutex;

use super::{
    PluginError, PluginInfo, Refusal,
    backoff::Backoff,
    conversation::Transcript,
    is_good_id,
    lend::Lent,
    life::{Introduction, Life, Recipe},
    port::PortError,
    redact::Redactor,
    status::{PluginStatus, State},
};
use jackfield_config::{PluginSettings, Settings, clock::Clock};

/// A loaded plugin.
pub(super) struct Plugin {
    pub(super) info: PluginInfo,
    recipe: Recipe,
    clock: Clock,
    /// Its providers as they were first described; each life is held to it.
    providers: Vec<Introduction>,
    redactor: Redactor,
    slot: Mutex<Slot>,
    calls: AtomicU64,
    restarts: AtomicU64,
    last_error: Lock<Option<String>>,
}

/// The present life, if there is one.
#[derive(Default)]
struct Slot {
    life: Option<Arc<Life>>,
    backoff: Backoff,
}

/// How often one conversation is repeated after others have ended its plugin's life.
const MOST_LIVES: usize = 5;

impl Plugin {
    /// Starts a judged library and makes an instance of each of its providers. Those that cannot be made have their error beside them.
    pub(super) async fn start(info: PluginInfo, recipe: Recipe, settings: &Settings) -> Result<Self, Refusal> {
        if let Some(probe) = recipe.start_probe().await.map_err(|error| not_started(&info, error))? {
            introduced(probe, &info, &recipe, settings).await?;
        }
        let life = recipe.start().await.map_err(|error| not_started(&info, error))?;
        let (life, providers) = introduced(life, &info, &recipe, settings).await?;
        warn_of_missing(&info, &life);
        let redactor = Redactor::new(providers.iter().flat_map(|one| one.options.secrets()).collect());
        let slot = Slot { life: Some(Arc::new(life)), backoff: Backoff::default() };
        Ok(Self {
            info,
            recipe,
            clock: clock_of(settings),
            providers,
            redactor,
            slot: Mutex::new(slot),
            calls: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            last_error: Lock::default(),
        })
    }

    /// Its entry of `default-integrations`, or `providers.NAME`.
    pub(super) fn entry(&self) -> &str {
        &self.recipe.entry
    }

    /// Whether the operator has declared it, so that no library stands behind it.
    pub(super) const fn is_declared(&self) -> bool {
        self.recipe.is_declared()
    }

    /// Whether each of its providers could be made.
    pub(super) fn is_whole(&self) -> bool {
        self.providers.iter().all(|one| one.described.is_ok())
    }

    /// What its library said of its providers.
    pub(super) fn providers(&self) -> &[Introduction] {
        &self.providers
    }

    /// Whether this is what would come of starting that recipe with those settings.
    pub(super) fn is_same(&self, info: &PluginInfo, recipe: &Recipe, settings: &Settings) -> bool {
        let how = |recipe: &Recipe| {
            let PluginSettings { isolation, deadline, memory, hosts: _ } = recipe.run;
            (recipe.entry.clone(), isolation, deadline, memory, recipe.is_sandbox_required)
        };
        self.info == *info
            && how(&self.recipe) == how(recipe)
            && self.clock.is_same(&clock_of(settings))
            && self.providers.iter().all(|one| one.options == recipe.options(settings, &one.named.id))
    }

    /// Asks one of its providers and sends what it wants until it has answered.
    pub(super) async fn converse(
        self: &Arc<Self>,
        provider: &str,
        redactor: &Redactor,
        lent: &Lent<'_>,
        question: Question,
    ) -> Result<TaskResult, PluginError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut transcript = Transcript::begin(self.clock.clone());
        for _ in 0..MOST_LIVES {
            let life = self.life().await?;
            let instance = life.instances.get(provider).copied().unwrap_or_default();
            let line = life.line(&self.info.name, redactor.clone());
            let result = line.converse(lent, instance, question.clone(), &mut transcript).await;
            match result {
                Err(PluginError::Port(PortError::Gone)) => {}
                Err(error) if error.is_fatal() => return Err(self.ended(&life, error).await),
                other => return other,
            }
        }
        Err(PortError::Gone.into())
    }

    /// The present life, or the next one after its pause.
    async fn life(&self) -> Result<Arc<Life>, PluginError> {
        let mut slot = self.slot.lock().await;
        match &slot.life {
            Some(life) if life.port.is_live() => return Ok(life.clone()),
            Some(_) => {
                slot.life = None;
                slot.backoff.failed(Instant::now());
                let error = PortError::Gone;
                tracing::warn!(
                    plugin.name = self.info.name,
                    plugin.reason = error.reason(),
                    "the plugin is to be started anew: {error}"
                );
                self.note(&error.to_string());
            }
            None => {}
        }
        tokio::time::sleep(slot.backoff.pause(Instant::now())).await;
        match self.next_life().await {
            Ok(life) => {
                self.restarts.fetch_add(1, Ordering::Relaxed);
                tracing::info!(plugin.name = self.info.name, worker.pid = life.pid, "the plugin is started anew");
                Ok(slot.life.insert(Arc::new(life)).clone())
            }
            Err(error) => {
                slot.backoff.failed(Instant::now());
                self.note(&error.to_string());
                Err(error)
            }
        }
    }

    async fn next_life(&self) -> Result<Life, PluginError> {
        let mut life = self.recipe.start().await.map_err(|error| PluginError::from(error).redacted(&self.redactor))?;
        for Introduction { named, options, described } in &self.providers {
            let Ok(described) = described else { continue };
            let now = life.create(&self.info.name, &named.id, options).await?;
            if !is_same_description(&now, described) {
                return Err(PluginError::DescribedOtherwise(named.id.clone()));
            }
        }
        Ok(life)
    }

    /// Takes a life out of use on account of an error, and begins the next one at once, so that whoever comes next need not wait.
    async fn ended(self: &Arc<Self>, life: &Arc<Life>, error: PluginError) -> PluginError {
        let error = error.redacted(&self.redactor);
        let mut slot = self.slot.lock().await;
        if slot.life.as_ref().is_some_and(|present| Arc::ptr_eq(present, life)) {
            slot.life = None;
            slot.backoff.failed(Instant::now());
            self.note(&error.to_string());
            let plugin = self.clone();
            tokio::spawn(async move { plugin.life().await.map(drop) });
        }
        error
    }

    fn note(&self, error: &str) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_owned());
    }

    /// How it is doing.
    pub(super) fn status(&self) -> PluginStatus {
        let life = self.slot.try_lock().ok().and_then(|slot| slot.life.clone());
        let life = life.filter(|life| life.port.is_live());
        PluginStatus {
            entry: self.recipe.entry.clone(),
            info: self.info.clone(),
            isolation: self.recipe.place().to_owned(),
            state: if life.is_some() { State::Running } else { State::Restarting },
            pid: life.as_ref().and_then(|life| life.pid),
            sandbox: life.and_then(|life| life.sandbox.clone()),
            calls: self.calls.load(Ordering::Relaxed),
            restarts: self.restarts.load(Ordering::Relaxed),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            providers: Vec::new(),
        }
    }
}

/// Asks a fresh life what it exports and makes an instance of each.
async fn introduced(
    mut life: Life,
    info: &PluginInfo,
    recipe: &Recipe,
    settings: &Settings,
) -> Result<(Life, Vec<Introduction>), Refusal> {
    let failed = |during: &str, error: &PluginError| Refusal::Failed {
        file: info.file.clone(),
        during: during.to_owned(),
        found: error.to_string(),
    };
    let named = life.providers(&info.name).await.map_err(|error| failed("listing its providers", &error))?;
    if let Some(bad) = named.iter().find(|provider| !is_good_id(&provider.id)) {
        return Err(Refusal::BadId { file: info.file.clone(), id: bad.id.clone() });
    }
    let mut introductions = Vec::new();
    for named in named {
        let options = recipe.options(settings, &named.id);
        let described = life.create(&info.name, &named.id, &options).await;
        if let Err(error @ PluginError::Port(_)) = &described {
            return Err(failed(&format!("making its provider `{}`", named.id), error));
        }
        introductions.push(Introduction { named, options, described });
    }
    Ok((life, introductions))
}

/// The system's time, unless the operator has plugins told another.
fn clock_of(settings: &Settings) -> Clock {
    let fixed = settings.plugins.clock.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    fixed.map_or_else(Clock::system, Clock::fixed)
}

/// Everything but the number of the instance.
fn is_same_description(now: &CreateOut, before: &CreateOut) -> bool {
    CreateOut { instance: 0, ..now.clone() } == CreateOut { instance: 0, ..before.clone() }
}

/// Why a library could not even be started, as a refusal of its file.
pub(super) fn not_started(info: &PluginInfo, error: PortError) -> Refusal {
    let file = info.file.clone();
    match error {
        PortError::NotLoaded(found) => Refusal::NotLoadable { file, found },
        PortError::NotHeld(missing) => Refusal::NotHeld { file, missing },
        PortError::NoWorker(found) => Refusal::NoWorker { file, found },
        other => Refusal::Failed { file, during: "opening it".to_owned(), found: other.to_string() },
    }
}

fn warn_of_missing(info: &PluginInfo, life: &Life) {
    let missing = life.sandbox.iter().flat_map(|sandbox| &sandbox.missing).cloned().collect::<Vec<_>>();
    if !missing.is_empty() {
        tracing::warn!(
            plugin.name = info.name,
            missing = missing.join(", "),
            "the plugin's worker is not held by all of the sandbox: this system lacks a part of it"
        );
    }
}
