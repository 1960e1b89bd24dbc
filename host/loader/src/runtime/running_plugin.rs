//! A plugin that runs now, with an instance of each of its providers. It ends when this is dropped.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jackfield_config::ProviderOptions;
use jackfield_plugin_abi::envelope::{CreateIn, CreateOut, NamedProvider, ProvidersOut, StepKind, op};

use super::{
    client::PluginClient,
    error::PluginError,
    plugin_log::PluginLog,
    redactor::Redactor,
    transport::{Transport, TransportError},
    worker::Sandbox,
};
use crate::border::{checked_description, checked_providers};

/// A plugin that runs now: in a worker, in this process, or as a declaration that the host answers
/// for.
pub struct RunningPlugin {
    transport: Arc<dyn Transport>,
    sandbox: Option<Sandbox>,
    pid: Option<u32>,
    /// The instance of each provider, by the provider's id.
    instances: BTreeMap<String, u64>,
    log: PluginLog,
}

impl RunningPlugin {
    /// A plugin in this process.
    pub(super) fn local(transport: Arc<dyn Transport>) -> Self {
        Self { transport, sandbox: None, pid: None, instances: BTreeMap::new(), log: PluginLog::default() }
    }

    /// A plugin in a worker.
    pub(super) fn in_worker(transport: Arc<dyn Transport>, sandbox: Sandbox, pid: Option<u32>) -> Self {
        Self { sandbox: Some(sandbox), pid, ..Self::local(transport) }
    }

    /// The same with the log of the plugin that it runs for. The next one after a crash has the
    /// same.
    pub(super) fn logging_to(self, log: &PluginLog) -> Self {
        Self { log: log.clone(), ..self }
    }

    /// Whether it takes another call.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.transport.is_live()
    }

    /// The sandbox of its worker; `None` for a plugin in this process.
    #[must_use]
    pub const fn sandbox(&self) -> Option<&Sandbox> {
        self.sandbox.as_ref()
    }

    /// Process id of its worker; `None` for a plugin in this process.
    #[must_use]
    pub const fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// One raw call: an op and a body of [`jackfield_plugin_abi::envelope`], and the reply's bytes.
    ///
    /// # Errors
    /// When no reply comes.
    pub async fn call(&self, op: &'static str, body: Vec<u8>) -> Result<Vec<u8>, TransportError> {
        self.transport.call(op, body).await
    }

    /// The instance of a provider that was created.
    pub(super) fn instance(&self, provider: &str) -> u64 {
        self.instances.get(provider).copied().unwrap_or_default()
    }

    /// A client for one conversation, which keeps somebody's secrets out of the log.
    pub(super) fn client(&self, plugin: &str, redactor: Redactor) -> PluginClient {
        let log = self.log.begin(plugin);
        PluginClient { transport: self.transport.clone(), plugin: plugin.to_owned(), redactor, log }
    }

    /// Asks which providers it exports.
    pub(super) async fn providers(&self, plugin: &str) -> Result<Vec<NamedProvider>, PluginError> {
        let client = self.client(plugin, Redactor::default());
        let out: ProvidersOut = client.call(op::PROVIDERS, &serde_json::json!({})).await?;
        Ok(checked_providers(out.providers)?)
    }

    /// Creates an instance of a provider with the operator's options and keeps it under the
    /// provider's id.
    pub(super) async fn create(
        &mut self,
        plugin: &str,
        provider: &str,
        options: &ProviderOptions,
    ) -> Result<CreateOut, PluginError> {
        let client = self.client(plugin, Redactor::new(options.secrets()));
        let request = CreateIn { provider: provider.to_owned(), options: options.table.clone() };
        let description: CreateOut = client.call(op::CREATE, &request).await?;
        let description = checked_description(description)?;
        if let Some(step) = description.steps.iter().find(|step| step.kind == StepKind::Unknown) {
            let message = format!("the step `{}` is of a kind that this host does not know", step.name);
            return Err(PluginError::Answer(message));
        }
        self.instances.insert(provider.to_owned(), description.instance);
        Ok(description)
    }
}

impl fmt::Debug for RunningPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningPlugin").field("pid", &self.pid).finish_non_exhaustive()
    }
}
