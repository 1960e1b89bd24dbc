//! One life of a plugin: from the start of its library to its end, with an instance of each of its providers.

use std::{collections::BTreeMap, sync::Arc};

use jackfield_plugin_abi::envelope::{CreateIn, CreateOut, NamedProvider, ProvidersOut, StepKind, op};

use super::{
    PluginError, Sandbox,
    conversation::Line,
    declared::Declared,
    in_process::InProcess,
    port::{Port, PortError},
    redact::Redactor,
    sealed_library::SealedLibrary,
    worker::{Limits, Worker},
};
use jackfield_config::{Isolation, PluginSettings, ProviderOptions, Settings};

/// All that is needed to start a plugin, as often as it takes.
pub(super) struct Recipe {
    /// Entry of `default-integrations`, or `providers.NAME`.
    pub(super) entry: String,
    /// Name in its manifest.
    pub(super) plugin: String,
    pub(super) source: Source,
    pub(super) run: PluginSettings,
    pub(super) is_sandbox_required: bool,
}

/// What answers the questions.
pub(super) enum Source {
    /// Code that nobody has to trust.
    Library(SealedLibrary),
    /// The host itself, from a declaration of the operator's.
    Declared(NamedProvider),
}

/// A running library.
pub(super) struct Life {
    pub(super) port: Arc<dyn Port>,
    /// What holds it; `None` inside the host's process.
    pub(super) sandbox: Option<Sandbox>,
    pub(super) pid: Option<u32>,
    /// The instance of each provider, by the provider's id.
    pub(super) instances: BTreeMap<String, u64>,
}

/// What a library said of itself when it was started.
pub(super) struct Introduction {
    pub(super) named: NamedProvider,
    pub(super) options: ProviderOptions,
    pub(super) described: Result<CreateOut, PluginError>,
}

impl Recipe {
    /// Starts it where it is to run.
    pub(super) async fn start(&self) -> Result<Life, PortError> {
        match (&self.source, self.run.isolation) {
            (Source::Declared(named), _) => Ok(Life::here(Arc::new(Declared::new(named)))),
            (Source::Library(library), Isolation::Process) => self.start_worker(library).await,
            (Source::Library(library), Isolation::InProcess) => {
                Ok(Life::here(Arc::new(InProcess::start(library, self.run.deadline).await?)))
            }
        }
    }

    /// What is to run inside the host is started in a worker first: what ends a worker would end the host.
    pub(super) async fn start_probe(&self) -> Result<Option<Life>, PortError> {
        match (&self.source, self.run.isolation) {
            (Source::Library(library), Isolation::InProcess) => self.start_worker(library).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn start_worker(&self, library: &SealedLibrary) -> Result<Life, PortError> {
        let limits = Limits {
            deadline: self.run.deadline,
            memory: self.run.memory,
            is_sandbox_required: self.is_sandbox_required,
        };
        let worker = Worker::start(&self.plugin, library, limits).await?;
        let (sandbox, pid) = (Some(worker.sandbox().clone()), worker.pid());
        Ok(Life { port: Arc::new(worker), sandbox, pid, instances: BTreeMap::new() })
    }

    /// What the operator says of one of its providers.
    pub(super) fn options(&self, settings: &Settings, provider: &str) -> ProviderOptions {
        let tables = match self.source {
            Source::Library(_) => &settings.options,
            Source::Declared(_) => &settings.providers,
        };
        tables.get(provider).cloned().unwrap_or_default()
    }

    pub(super) const fn is_declared(&self) -> bool {
        matches!(self.source, Source::Declared(_))
    }

    /// Where it runs, in the word that `plugin list` has for it.
    pub(super) const fn place(&self) -> &'static str {
        match self.source {
            Source::Library(_) => self.run.isolation.word(),
            Source::Declared(_) => "declared",
        }
    }
}

impl Life {
    /// One inside the host's process.
    fn here(port: Arc<dyn Port>) -> Self {
        Self { port, sandbox: None, pid: None, instances: BTreeMap::new() }
    }

    /// A line to it, on behalf of somebody whose secrets must not be logged.
    pub(super) fn line(&self, plugin: &str, redactor: Redactor) -> Line {
        Line { port: self.port.clone(), plugin: plugin.to_owned(), redactor }
    }

    /// Asks what the library exports.
    pub(super) async fn providers(&self, plugin: &str) -> Result<Vec<NamedProvider>, PluginError> {
        let line = self.line(plugin, Redactor::default());
        let out: ProvidersOut = line.ask(op::PROVIDERS, &serde_json::json!({})).await?;
        Ok(out.providers)
    }

    /// Makes an instance of a provider with the operator's options and keeps it under its id.
    pub(super) async fn create(
        &mut self,
        plugin: &str,
        provider: &str,
        options: &ProviderOptions,
    ) -> Result<CreateOut, PluginError> {
        let line = self.line(plugin, Redactor::new(options.secrets()));
        let asked = CreateIn { provider: provider.to_owned(), options: options.table.clone() };
        let description: CreateOut = line.ask(op::CREATE, &asked).await?;
        if let Some(step) = description.steps.iter().find(|step| step.kind == StepKind::Unknown) {
            let message = format!("the step `{}` is of a kind that this host does not know", step.name);
            return Err(PluginError::Answer(message));
        }
        self.instances.insert(provider.to_owned(), description.instance);
        Ok(description)
    }
}
