//! All that is needed to start a plugin, as often as it has to be started.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jackfield_config::{Isolation, PluginSettings, ProviderOptions, SandboxPolicy, Settings, clock::Clock};
use time::OffsetDateTime;

use super::{
    in_process::InProcess,
    plugin_log::PluginLog,
    running_plugin::RunningPlugin,
    transport::{Transport, TransportError},
    worker::{Limits, Worker, forbidden_calls_help},
};
use crate::{
    border::escaped_words,
    library::{LibraryFile, PluginInfo, SealedLibrary},
    refusal::Refusal,
};

/// All that is needed to start a plugin: its code, and how it is run.
pub struct LaunchSpec {
    /// Entry of `default-integrations`, or `providers.NAME`.
    entry: String,
    info: PluginInfo,
    source: Source,
    settings: PluginSettings,
    is_sandbox_required: bool,
    clock: Clock,
    /// The operator's options by the id of the provider.
    options: BTreeMap<String, ProviderOptions>,
    log: PluginLog,
    /// The ids of its providers, where they are known before it runs.
    provider_ids: Option<Vec<String>>,
    /// Those of its providers that are not used and get no options.
    refused_ids: Vec<String>,
}

/// What answers the calls.
enum Source {
    /// Third-party code.
    Library(SealedLibrary),
    /// The host itself, from the operator's declaration.
    Declared(Box<dyn Fn() -> Arc<dyn Transport> + Send + Sync>),
}

impl LaunchSpec {
    /// A checked library, as a copy in memory that nobody can change and whose constructors run
    /// only once the sandbox is closed. It runs in a worker, with the limits and the clock that
    /// hold where the configuration says nothing.
    ///
    /// # Errors
    /// When there is no memory for the copy.
    pub fn library(file: &LibraryFile) -> Result<Self, Refusal> {
        let sealed = SealedLibrary::of(&file.bytes_to_open()?, file.needed());
        let sealed = sealed.map_err(|error| Refusal::Unreadable { file: file.path().to_owned(), error })?;
        let spec = Self::new(file.path().display().to_string(), PluginInfo::of(file), Source::Library(sealed));
        Ok(Self { provider_ids: file.provider_ids(), ..spec })
    }

    /// What the host answers itself.
    pub(crate) fn declared(
        entry: String,
        info: PluginInfo,
        transport: impl Fn() -> Arc<dyn Transport> + Send + Sync + 'static,
    ) -> Self {
        Self::new(entry, info, Source::Declared(Box::new(transport)))
    }

    fn new(entry: String, info: PluginInfo, source: Source) -> Self {
        let (settings, options) = (PluginSettings::default(), BTreeMap::new());
        let (clock, log) = (Clock::system(), PluginLog::default());
        let (provider_ids, refused_ids) = (None, Vec::new());
        Self {
            entry,
            info,
            source,
            settings,
            is_sandbox_required: false,
            clock,
            options,
            log,
            provider_ids,
            refused_ids,
        }
    }

    /// The same with these settings: isolation, deadline and memory.
    #[must_use]
    pub fn with_settings(mut self, settings: PluginSettings) -> Self {
        self.settings = settings;
        self
    }

    /// The same with the operator's options, by the id of the provider.
    #[must_use]
    pub fn with_options(mut self, options: BTreeMap<String, ProviderOptions>) -> Self {
        self.options = options;
        self
    }

    /// The same with the ids of its providers, which it is held to.
    pub(crate) fn with_provider_ids(mut self, ids: Vec<String>) -> Self {
        self.provider_ids = Some(ids);
        self
    }

    /// The same without some of its providers: they get no options and are not used.
    pub(crate) fn without_providers(mut self, ids: Vec<String>) -> Self {
        self.refused_ids = ids;
        self
    }

    /// Whether one of its providers is used.
    pub(super) fn uses(&self, provider: &str) -> bool {
        !self.refused_ids.iter().any(|refused| refused == provider)
    }

    /// The ids that it is held to.
    pub(crate) fn known_provider_ids(&self) -> Option<&[String]> {
        self.provider_ids.as_deref()
    }

    /// The same under the name by which the configuration lists it, as the configuration says to
    /// run it.
    pub(crate) fn configured(mut self, entry: &str, settings: &Settings) -> Self {
        entry.clone_into(&mut self.entry);
        self.settings = settings.plugins.settings_for(entry);
        self.is_sandbox_required = !self.is_declared() && settings.plugins.sandbox == SandboxPolicy::Required;
        let fixed = settings.plugins.clock.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
        self.clock = fixed.map_or_else(Clock::system, Clock::fixed);
        self
    }

    /// Entry of `default-integrations`, `providers.NAME`, or the library's path.
    #[must_use]
    pub fn entry(&self) -> &str {
        &self.entry
    }

    /// The library, or the declaration in its place.
    #[must_use]
    pub const fn info(&self) -> &PluginInfo {
        &self.info
    }

    /// The time that the plugin sees.
    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The operator's options of one of its providers.
    pub(super) fn options(&self, provider: &str) -> ProviderOptions {
        self.options.get(provider).cloned().unwrap_or_default()
    }

    /// The ids of its providers: from its data, or else it is started to be asked, without any
    /// options.
    ///
    /// # Errors
    /// When it has to be asked and does not answer.
    pub(crate) async fn provider_ids(&self) -> Result<Vec<String>, Refusal> {
        if let Some(ids) = &self.provider_ids {
            return Ok(ids.clone());
        }
        let running = match &self.source {
            Source::Library(library) => self.start_worker(library).await,
            Source::Declared(_) => self.start().await,
        };
        let running = running.map_err(|error| self.refusal(error))?;
        let named = running.providers(&self.info.name).await;
        let named = named.map_err(|error| Refusal::providers_not_listed(&self.info.file, &error))?;
        Ok(named.into_iter().map(|provider| provider.id).collect())
    }

    /// Whether the host answers for it, without a library.
    pub(crate) const fn is_declared(&self) -> bool {
        matches!(self.source, Source::Declared(_))
    }

    /// Where it runs, in the word that `plugin list` has for it.
    pub(super) const fn isolation(&self) -> &'static str {
        match self.source {
            Source::Library(_) => self.settings.isolation.word(),
            Source::Declared(_) => "declared",
        }
    }

    /// Whether a library runs in this process.
    pub(super) const fn is_in_process(&self) -> bool {
        matches!((&self.source, self.settings.isolation), (Source::Library(_), Isolation::InProcess))
    }

    /// How many of it may run at a time: at least one, and no more than one of what is no process.
    pub(super) fn workers(&self) -> usize {
        match (&self.source, self.settings.isolation) {
            (Source::Library(_), Isolation::Process) => self.settings.workers.get(),
            _ => 1,
        }
    }

    /// Whether a plugin with these providers, started from `other`, would come out the same from
    /// this.
    pub(super) fn is_same<'a>(&self, other: &Self, mut providers: impl Iterator<Item = &'a str>) -> bool {
        let launch = |spec: &Self| {
            let PluginSettings { isolation, deadline, memory, workers, .. } = spec.settings;
            (spec.entry.clone(), isolation, deadline, memory, workers, spec.is_sandbox_required)
        };
        self.info == other.info
            && launch(self) == launch(other)
            && self.clock.is_same(&other.clock)
            && self.refused_ids == other.refused_ids
            && providers.all(|id| self.options(id) == other.options(id))
    }

    /// Starts it where it is to run.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(&self) -> Result<RunningPlugin, TransportError> {
        Ok(self.start_unlogged().await?.logging_to(&self.log))
    }

    async fn start_unlogged(&self) -> Result<RunningPlugin, TransportError> {
        match (&self.source, self.settings.isolation) {
            (Source::Declared(transport), _) => Ok(RunningPlugin::local(transport())),
            (Source::Library(library), Isolation::Process) => self.start_worker(library).await,
            (Source::Library(library), Isolation::InProcess) => {
                Ok(RunningPlugin::local(Arc::new(InProcess::start(library, self.settings.deadline).await?)))
            }
        }
    }

    /// Starts a library that is to run in this process in a worker first: what ends a worker would
    /// end this process.
    pub(super) async fn start_probe(&self) -> Result<Option<RunningPlugin>, TransportError> {
        match (&self.source, self.settings.isolation) {
            (Source::Library(library), Isolation::InProcess) => self.start_worker(library).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn start_worker(&self, library: &SealedLibrary) -> Result<RunningPlugin, TransportError> {
        let PluginSettings { deadline, memory, .. } = self.settings;
        let limits = Limits { deadline, memory, is_sandbox_required: self.is_sandbox_required };
        let worker = Worker::start(&self.info.name, library, limits).await?;
        let (sandbox, pid) = (worker.sandbox().clone(), worker.pid());
        Ok(RunningPlugin::in_worker(Arc::new(worker), sandbox, pid))
    }

    /// Why it does not start, as a refusal of its file.
    #[must_use]
    pub fn refusal(&self, error: TransportError) -> Refusal {
        let file = self.info.file.clone();
        match error {
            TransportError::NotLoaded(found) => Refusal::NotLoadable { file, found: escaped_words(&found) },
            TransportError::NotSandboxed { missing, forbidden } => {
                let help = (!forbidden.is_empty()).then(|| forbidden_calls_help(&forbidden));
                Refusal::NotSandboxed { file, missing, help }
            }
            TransportError::Forbidden(calls) => {
                let help = Some(forbidden_calls_help(&calls));
                Refusal::NoWorker { file, found: TransportError::Forbidden(calls).to_string(), help }
            }
            TransportError::NoWorker(found) => Refusal::NoWorker { file, found, help: None },
            other => {
                Refusal::Failed { file, during: "opening it".to_owned(), found: escaped_words(&other.to_string()) }
            }
        }
    }
}

impl fmt::Debug for LaunchSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entry, info, settings, .. } = self;
        let mut shown = f.debug_struct("LaunchSpec");
        shown.field("entry", entry).field("info", info).field("settings", settings).finish_non_exhaustive()
    }
}
