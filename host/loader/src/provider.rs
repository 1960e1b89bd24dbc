//! A provider that lives in a plugin, as the host sees it.

use std::sync::Arc;

use jackfield_plugin_abi::{
    envelope::{CreateOut, FaultKind, NamedProvider, OAuth2, Question, TaskResult},
    reach::{self, asked},
};

use super::{
    Answer, Api, Dialog, EventResponse, Field, Grant, Integration, PluginError, PluginInfo, Refreshed, Request,
    RevokeRequest, Revoked, State, Step, StepKind, WebhookAnswer, WebhookCall,
    lend::{Lent, Tokens},
    library_file::digest,
    plugin::Plugin,
    redact::Redactor,
    status::ProviderStatus,
};
use jackfield_config::{HostPattern, ProviderOptions};
use jackfield_outbound::{HostAllowList, Outbound};

/// A loaded provider with the operator's options.
pub struct Provider {
    id: String,
    name: String,
    plugin: Arc<Plugin>,
    description: CreateOut,
    redactor: Redactor,
    outbound: Outbound,
    fingerprint: String,
}

impl Provider {
    /// `outbound` is already within the provider's reach.
    pub(super) fn new(
        plugin: Arc<Plugin>,
        named: &NamedProvider,
        options: &ProviderOptions,
        description: CreateOut,
        outbound: Outbound,
    ) -> Self {
        Self {
            id: named.id.clone(),
            name: named.name.clone(),
            fingerprint: fingerprint(&plugin.info, options),
            redactor: Redactor::new(options.secrets()),
            plugin,
            description,
            outbound,
        }
    }

    /// Stands in URLs, configuration and database.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What people read.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The library it comes from.
    #[must_use]
    pub fn plugin(&self) -> &PluginInfo {
        &self.plugin.info
    }

    /// Whether the operator has declared it, so that there is no library.
    #[must_use]
    pub fn is_declared(&self) -> bool {
        self.plugin.is_declared()
    }

    /// Differs when the library or the options differ: a set-up that was begun under another does not go on.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether it is offered to people.
    #[must_use]
    pub const fn is_configured(&self) -> bool {
        self.description.is_configured
    }

    /// Options that are not set and keep it from being configured, as far as the plugin can tell.
    #[must_use]
    pub fn missing_options(&self) -> &[String] {
        &self.description.missing
    }

    /// What an organization may configure of an installed integration.
    #[must_use]
    pub fn config(&self) -> &[Field] {
        &self.description.config
    }

    /// Size of the pop-up.
    #[must_use]
    pub const fn dialog(&self) -> Dialog {
        self.description.dialog
    }

    /// An SVG image, as the plugin gives it: to be served as an image only, where it can run nothing.
    #[must_use]
    pub fn icon(&self) -> Option<&str> {
        self.description.icon.as_deref()
    }

    /// The pipeline, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.description.steps
    }

    /// Where the service's own API is, and what each call of it carries.
    #[must_use]
    pub const fn api(&self) -> Option<&Api> {
        self.description.api.as_ref()
    }

    /// Whether its service may tell it what happens to its integrations.
    #[must_use]
    pub const fn takes_events(&self) -> bool {
        self.description.takes_events
    }

    /// The client for what is sent on its behalf in a set-up whose person has named these hosts: it reaches them where the provider says
    /// so, what the provider may reach anyhow, and nothing else.
    #[must_use]
    pub fn outbound(&self, named: &[String]) -> Outbound {
        let named = named.iter().filter_map(|host| host.parse().ok());
        self.outbound
            .allowed_hosts()
            .map_or_else(|| self.outbound.clone(), |hosts| self.outbound.limited_to(hosts.with_named(named)))
    }

    /// The hosts that a person names by what they have posted, where the provider may reach such hosts.
    #[must_use]
    pub fn named_hosts(&self, request: &Request) -> Vec<String> {
        let form = if self.description.hosts_from_forms { request.form.as_slice() } else { &[] };
        reach::named(form).map(|host| host.to_string()).collect()
    }

    /// What `plugin list` says of it.
    pub(super) fn status(&self) -> ProviderStatus {
        ProviderStatus {
            id: self.id.clone(),
            name: self.name.clone(),
            is_configured: self.is_configured(),
            missing: self.missing_options().to_vec(),
            hosts: self.outbound.allowed_hosts().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// Whether it lives in this plugin.
    pub(super) fn is_of(&self, plugin: &Arc<Plugin>) -> bool {
        Arc::ptr_eq(&self.plugin, plugin)
    }

    async fn ask(&self, question: Question, named: &[String]) -> Result<TaskResult, PluginError> {
        self.ask_lending(question, named, None).await
    }

    async fn ask_lending(
        &self,
        question: Question,
        named: &[String],
        tokens: Option<&dyn Tokens>,
    ) -> Result<TaskResult, PluginError> {
        let outbound = self.outbound(named);
        self.plugin.converse(&self.id, &self.redactor, &Lent { outbound: &outbound, tokens }, question).await
    }

    /// The authorization server of a step that depends on the state.
    ///
    /// # Errors
    /// When the plugin gives no usable answer.
    pub async fn oauth2(&self, step: &str, state: State, named: &[String]) -> Result<OAuth2, PluginError> {
        let TaskResult::OAuth2 { oauth2 } = self.ask(Question::OAuth2 { step: step.to_owned(), state }, named).await?
        else {
            let message = "an authorization server was asked for, something else answered";
            return Err(PluginError::Answer(message.to_owned()));
        };
        match oauth2.missing().as_slice() {
            [] => Ok(*oauth2),
            missing => {
                let message = format!("the authorization server of `{step}` lacks {}", missing.join(", "));
                Err(PluginError::Answer(message))
            }
        }
    }

    /// Runs one of the plugin's own steps.
    ///
    /// # Errors
    /// When the plugin gives no usable answer.
    pub async fn run_view(
        &self,
        view: &str,
        request: Request,
        state: State,
        named: &[String],
    ) -> Result<(Answer, State), PluginError> {
        match self.ask(Question::View { view: view.to_owned(), request, state }, named).await? {
            TaskResult::Answered { answer: Answer::Unknown, .. } => {
                Err(PluginError::Answer("an answer of a kind that this host does not know".to_owned()))
            }
            TaskResult::Answered { answer, state } => Ok((answer, state)),
            _ => Err(PluginError::Answer("a step was asked, something else answered".to_owned())),
        }
    }

    /// Has the provider judge a call to its webhook; one built before there were webhooks has none.
    ///
    /// # Errors
    /// When the plugin gives no usable answer.
    pub async fn receive(
        &self,
        call: WebhookCall,
        state: State,
        tokens: Option<&dyn Tokens>,
    ) -> Result<WebhookAnswer, PluginError> {
        match known(self.ask_lending(Question::Webhook { call, state }, &[], tokens).await)? {
            None => Ok(WebhookAnswer::new(404)),
            Some(TaskResult::Received { answer }) => Ok(answer),
            Some(_) => Err(PluginError::Answer("a webhook was called, something else answered".to_owned())),
        }
    }

    /// Has the provider judge a call to its events URL.
    ///
    /// # Errors
    /// When the plugin gives no usable answer.
    pub async fn handle_event(&self, call: WebhookCall) -> Result<EventResponse, PluginError> {
        match known(self.ask(Question::Event { call }, &[]).await)? {
            None => Ok(WebhookAnswer::new(404).into()),
            Some(TaskResult::EventHandled { response: told }) => Ok(told),
            Some(_) => Err(PluginError::Answer("the events URL was called, something else answered".to_owned())),
        }
    }

    /// Has the provider refresh a grant its own way; one that has none leaves it to the host.
    ///
    /// # Errors
    /// When the plugin gives no usable answer, or the service gave it none.
    pub async fn refresh(&self, grant: Grant, metadata: State, named: &[String]) -> Result<Refreshed, PluginError> {
        let question = Question::Refresh { grant: Box::new(grant), metadata };
        match known(self.ask(question, named).await)? {
            None | Some(TaskResult::Refreshed { refreshed: Refreshed::Unknown }) => Ok(Refreshed::Default),
            Some(TaskResult::Refreshed { refreshed }) => Ok(refreshed),
            Some(_) => Err(PluginError::Answer("a refresh was asked for, something else answered".to_owned())),
        }
    }

    /// Has the provider revoke what is given up its own way; one that has none leaves it to the host.
    ///
    /// # Errors
    /// When it is not done.
    pub async fn revoke(&self, leaving: RevokeRequest, named: &[String]) -> Result<Revoked, PluginError> {
        match known(self.ask(Question::Revoke { request: leaving }, named).await)? {
            None | Some(TaskResult::Revoked { revoked: Revoked::Unknown }) => Ok(Revoked::Default),
            Some(TaskResult::Revoked { revoked }) => Ok(revoked),
            Some(_) => Err(PluginError::Answer("a revocation was asked for, something else answered".to_owned())),
        }
    }

    /// The authorization server of a step by its name, or of the first where the name is empty; `state` is what the steps have bound, for
    /// one that depends on it. `None` where there is no such step.
    ///
    /// # Errors
    /// When the plugin gives no usable answer.
    pub async fn server_of(&self, step: &str, state: &State, named: &[String]) -> Result<Option<OAuth2>, PluginError> {
        let is_it = |candidate: &&Step| {
            (step.is_empty() || candidate.name == step)
                && matches!(candidate.kind, StepKind::OAuth2(_) | StepKind::OAuth2FromState)
        };
        match self.steps().iter().find(is_it) {
            None => Ok(None),
            Some(Step { kind: StepKind::OAuth2(oauth2), .. }) => Ok(Some((**oauth2).clone())),
            Some(Step { name, .. }) => self.oauth2(name, state.clone(), named).await.map(Some),
        }
    }

    /// Builds the integration from the state of a finished pipeline.
    ///
    /// # Errors
    /// When the plugin gives no usable answer, or one without an external id.
    pub async fn build_integration(&self, state: State, named: &[String]) -> Result<Integration, PluginError> {
        match self.ask(Question::BuildIntegration { state }, named).await? {
            TaskResult::Built { integration } if integration.external_id.is_empty() => {
                Err(PluginError::Answer("the integration has no external id".to_owned()))
            }
            TaskResult::Built { integration } => Ok(integration),
            _ => Err(PluginError::Answer("an integration was asked for, something else answered".to_owned())),
        }
    }
}

/// What a plugin built before there was such a question answers is nothing, and no error.
fn known(asked: Result<TaskResult, PluginError>) -> Result<Option<TaskResult>, PluginError> {
    match asked {
        Err(PluginError::Fault(fault)) if fault.kind == FaultKind::Unsupported => Ok(None),
        other => other.map(Some),
    }
}

/// The library's digest and one of the options. It stays in this process: whoever knows the other options could guess a short one.
fn fingerprint(info: &PluginInfo, options: &ProviderOptions) -> String {
    let table = serde_json::to_vec(&options.table).expect("options are plain JSON");
    format!("{} {}", info.digest, digest(&table))
}

/// What a provider may reach: what it asks for, of which the operator may grant less.
///
/// # Errors
/// The declared one that is no host.
pub(super) fn reach(
    description: &CreateOut,
    options: &ProviderOptions,
    granted: Option<Vec<HostPattern>>,
) -> Result<HostAllowList, String> {
    Ok(HostAllowList::new(asked(description, &options.table)?, granted).allowing_named(description.hosts_from_forms))
}
