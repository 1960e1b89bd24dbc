//! A provider that lives in a plugin, as the host sees it.

use std::sync::Arc;

use jackfield_plugin_abi::{
    envelope::{CreateOut, FaultKind, NamedProvider, OAuth2, Question, Turn},
    reach::{self, asked},
};

use super::{
    Answer, Dialog, Field, Integration, PluginError, PluginInfo, Request, State, Step, WebhookAnswer, WebhookCall,
    library_file::digest, plugin::Plugin, redact::Redactor, status::ProviderStatus,
};
use crate::{
    config::{HostPattern, ProviderOptions},
    outbound::{Outbound, Reach},
};

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

    /// The client for what is sent on its behalf in a set-up whose person has named these hosts: it reaches them where the provider says
    /// so, what the provider may reach anyhow, and nothing else.
    #[must_use]
    pub fn outbound(&self, named: &[String]) -> Outbound {
        let named = named.iter().filter_map(|host| host.parse().ok());
        self.outbound
            .reach()
            .map_or_else(|| self.outbound.clone(), |reach| self.outbound.within(reach.and_named(named)))
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
            hosts: self.outbound.reach().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// Whether it lives in this plugin.
    pub(super) fn is_of(&self, plugin: &Arc<Plugin>) -> bool {
        Arc::ptr_eq(&self.plugin, plugin)
    }

    async fn ask(&self, question: Question, named: &[String]) -> Result<Turn, PluginError> {
        self.plugin.converse(&self.id, &self.redactor, &self.outbound(named), question).await
    }

    /// The authorization server of a step that depends on the state.
    ///
    /// # Errors
    /// When the plugin gives no usable answer.
    pub async fn oauth2(&self, step: &str, state: State, named: &[String]) -> Result<OAuth2, PluginError> {
        let Turn::OAuth2 { oauth2 } = self.ask(Question::OAuth2 { step: step.to_owned(), state }, named).await? else {
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
            Turn::Answered { answer: Answer::Unknown, .. } => {
                Err(PluginError::Answer("an answer of a kind that this host does not know".to_owned()))
            }
            Turn::Answered { answer, state } => Ok((answer, state)),
            _ => Err(PluginError::Answer("a step was asked, something else answered".to_owned())),
        }
    }

    /// Has the provider judge a call to its webhook; one built before there were webhooks has none.
    ///
    /// # Errors
    /// When the plugin gives no usable answer.
    pub async fn receive(&self, call: WebhookCall, state: State) -> Result<WebhookAnswer, PluginError> {
        match self.ask(Question::Webhook { call, state }, &[]).await {
            Ok(Turn::Received { answer }) => Ok(answer),
            Ok(_) => Err(PluginError::Answer("a webhook was called, something else answered".to_owned())),
            Err(PluginError::Fault(fault)) if fault.kind == FaultKind::Unsupported => Ok(WebhookAnswer::new(404)),
            Err(error) => Err(error),
        }
    }

    /// Builds the integration from the state of a finished pipeline.
    ///
    /// # Errors
    /// When the plugin gives no usable answer, or one without an external id.
    pub async fn build_integration(&self, state: State, named: &[String]) -> Result<Integration, PluginError> {
        match self.ask(Question::BuildIntegration { state }, named).await? {
            Turn::Built { integration } if integration.external_id.is_empty() => {
                Err(PluginError::Answer("the integration has no external id".to_owned()))
            }
            Turn::Built { integration } => Ok(integration),
            _ => Err(PluginError::Answer("an integration was asked for, something else answered".to_owned())),
        }
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
) -> Result<Reach, String> {
    Ok(Reach::new(asked(description, &options.table)?, granted).taking_named(description.hosts_from_forms))
}
