//! A provider of a plugin, as the host sees it.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use jackfield_config::ProviderOptions;
use jackfield_limits::TokenBucket;
use jackfield_outbound::{Outbound, RequestBudget};
use jackfield_plugin_abi::{
    envelope::{
        Answer, Api, CreateOut, Dialog, EventResponse, FaultKind, Field, Grant, Integration, NamedProvider, OAuth2,
        Question, Refreshed, Request, RevokeRequest, Revoked, State, Step, StepKind, TaskResult, WebhookRequest,
        WebhookResponse,
    },
    host_pattern::{HostPattern, bound_hosts, hosts_in_fields},
};
use url::Url;

use crate::{
    answer_check::{checked_answer, checked_refresh, with_escaped_words},
    border::checked_integration,
    inbound::InboxRules,
    library::{PluginInfo, digest},
    runtime::{HostServices, Plugin, PluginError, ProviderStatus, ReachedHosts, Redactor, Tokens},
    step_outcome::StepOutcome,
};

/// A loaded provider with the operator's options. Each method that asks its plugin may take as long
/// as the plugin's deadline.
#[derive(Clone)]
pub struct Provider {
    id: String,
    name: String,
    plugin: Arc<Plugin>,
    description: Arc<CreateOut>,
    redactor: Redactor,
    outbound: Outbound,
    fingerprint: String,
    inbound_failures: Arc<TokenBucket>,
    inbox: Option<Arc<InboxRules>>,
    /// Types of other plugins' identities that the operator lets it bring.
    identity_types: Vec<String>,
}

/// Most failures of inbound requests of one provider that are logged in a row, and how long the
/// next waits. Anybody may send such requests, so they must not fill the log.
const INBOUND_BURST: u32 = 20;
const INBOUND_INTERVAL: Duration = Duration::from_secs(1);

impl Provider {
    /// `outbound` reaches the provider's hosts and no others.
    pub(crate) fn new(
        plugin: Arc<Plugin>,
        named: &NamedProvider,
        options: &ProviderOptions,
        description: CreateOut,
        outbound: Outbound,
    ) -> Self {
        Self {
            id: named.id.clone(),
            name: named.name.clone(),
            fingerprint: fingerprint(plugin.info(), options),
            redactor: Redactor::new(options.secrets()),
            plugin,
            description: Arc::new(description),
            outbound,
            inbound_failures: Arc::new(TokenBucket::new(INBOUND_BURST, INBOUND_INTERVAL)),
            inbox: None,
            identity_types: Vec::new(),
        }
    }

    /// The same with types of other plugins' identities that the operator lets it bring.
    pub(crate) fn with_identity_types(self, identity_types: Vec<String>) -> Self {
        Self { identity_types, ..self }
    }

    /// The same with rules for the calls of its service.
    pub(crate) fn with_inbox(self, inbox: Option<InboxRules>) -> Self {
        Self { inbox: inbox.map(Arc::new), ..self }
    }

    /// How the calls of its service are verified and read, if it declares that.
    #[must_use]
    pub fn inbox(&self) -> Option<&Arc<InboxRules>> {
        self.inbox.as_ref()
    }

    /// Whether the operator lets it bring identities of this type, even if they are another
    /// plugin's.
    #[must_use]
    pub fn may_identify(&self, identity_type: &str) -> bool {
        self.identity_types.iter().any(|allowed| allowed == identity_type)
    }

    /// The same provider for work that may cost only so many requests and so much time.
    #[must_use]
    pub fn within(&self, budget: RequestBudget) -> Self {
        Self { outbound: self.outbound.with_budget(budget), ..self.clone() }
    }

    /// The same under a name that tells it from another of its name.
    #[must_use]
    pub(crate) fn with_id_in_name(self) -> Self {
        Self { name: format!("{} ({})", self.name, self.id), ..self }
    }

    /// Its id, as URLs, configuration and database have it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its name, as people read it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The library it comes from.
    #[must_use]
    pub fn plugin(&self) -> &PluginInfo {
        self.plugin.info()
    }

    /// Its plugin's entry of `default-integrations`, or `providers.NAME`.
    pub(crate) fn entry(&self) -> &str {
        self.plugin.entry()
    }

    /// Whether the operator has declared it, so that there is no library.
    #[must_use]
    pub fn is_declared(&self) -> bool {
        self.plugin.is_declared()
    }

    /// Differs if the library or the options differ. A setup that began with another does not go
    /// on.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether it is offered to people.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.description.is_configured
    }

    /// Options that are not set and without which it is not configured, as far as the plugin can
    /// tell.
    #[must_use]
    pub fn missing_options(&self) -> &[String] {
        &self.description.missing
    }

    /// The fields of an installed integration that its organization may set.
    #[must_use]
    pub fn config(&self) -> &[Field] {
        &self.description.config
    }

    /// Size of the setup's pop-up window.
    #[must_use]
    pub fn dialog(&self) -> Dialog {
        self.description.dialog
    }

    /// An SVG image, as the plugin gives it. Serve it as an image only, where its scripts do not
    /// run.
    #[must_use]
    pub fn icon(&self) -> Option<&str> {
        self.description.icon.as_deref()
    }

    /// The steps of the setup, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.description.steps
    }

    /// The URL of the service's own API, and the headers of each call to it.
    #[must_use]
    pub fn api(&self) -> Option<&Api> {
        self.description.api.as_ref()
    }

    /// Whether its service may report what happens to its integrations.
    #[must_use]
    pub fn takes_events(&self) -> bool {
        self.description.handles_events
    }

    /// The HTTP client of a setup in which a person has named these hosts. It reaches the
    /// provider's own hosts, and those that were named if the provider takes hosts from forms.
    #[must_use]
    pub fn outbound(&self, named_hosts: &[String]) -> Outbound {
        if named_hosts.is_empty() {
            return self.outbound.clone();
        }
        let named = named_hosts.iter().filter_map(|host| host.parse().ok()).filter(HostPattern::is_one_host);
        self.outbound
            .allowed_hosts()
            .map_or_else(|| self.outbound.clone(), |hosts| self.outbound.limited_to(hosts.with_named(named)))
    }

    /// The server that the path of a redirect URI names, for a server that depends on the state:
    /// each has a redirect URI of its own (RFC 9700 section 4.4.2.2). `None` for the provider's
    /// default server, which must be at hosts that the provider declares.
    #[must_use]
    pub fn server_in_path(&self, oauth2: &OAuth2) -> Option<String> {
        let urls = [oauth2.issuer.as_deref().unwrap_or_default(), &oauth2.authorize_url, &oauth2.token_url];
        let is_declared = |url: &str| match (Url::parse(url), self.outbound.allowed_hosts()) {
            (Ok(url), Some(hosts)) => hosts.allows(&url),
            (Ok(_), None) => true,
            (Err(_), _) => false,
        };
        let is_default = oauth2.default_server && urls.iter().all(|url| url.is_empty() || is_declared(url));
        (!is_default).then(|| oauth2.server_id())
    }

    /// Whether the failure of a request to its webhook or events URL is to be logged: how many
    /// before it were not, or `None`.
    #[must_use]
    pub fn log_inbound_failure(&self) -> Option<u64> {
        self.inbound_failures.take(Instant::now())
    }

    /// How it is doing.
    pub(crate) fn status(&self) -> ProviderStatus {
        ProviderStatus {
            id: self.id.clone(),
            name: self.name.clone(),
            is_configured: self.is_configured(),
            missing: self.missing_options().to_vec(),
            hosts: self.outbound.allowed_hosts().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// Whether it is a provider of this plugin.
    pub(crate) fn is_of(&self, plugin: &Arc<Plugin>) -> bool {
        Arc::ptr_eq(&self.plugin, plugin)
    }

    async fn ask(&self, question: Question, named_hosts: &[String]) -> Result<TaskResult, PluginError> {
        self.ask_with_tokens(question, named_hosts, None).await
    }

    async fn ask_with_tokens(
        &self,
        question: Question,
        named_hosts: &[String],
        tokens: Option<&dyn Tokens>,
    ) -> Result<TaskResult, PluginError> {
        let outbound = self.outbound(named_hosts);
        self.ask_with(question, &HostServices { outbound: &outbound, tokens, reached: None }).await
    }

    async fn ask_with(&self, question: Question, services: &HostServices<'_>) -> Result<TaskResult, PluginError> {
        self.plugin.ask(&self.id, &self.redactor, services, question).await
    }

    /// The authorization server of a step whose server depends on the state.
    ///
    /// # Errors
    /// When the plugin gives no usable answer.
    pub async fn oauth2(&self, step: &str, state: State, named_hosts: &[String]) -> Result<OAuth2, PluginError> {
        let question = Question::OAuth2 { step: step.to_owned(), state };
        let TaskResult::OAuth2 { oauth2 } = self.ask(question, named_hosts).await? else {
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

    /// Runs one of the plugin's own steps: gives it a browser's request and the setup's state, and
    /// returns its answer and the state after it.
    ///
    /// # Errors
    /// When the plugin gives no usable answer.
    pub async fn run_view(
        &self,
        view: &str,
        request: Request,
        state: State,
        named_hosts: &[String],
    ) -> Result<(Answer, State), PluginError> {
        let outcome = self.run_step(view, request, state, named_hosts, &[]).await?;
        Ok((outcome.answer, outcome.state))
    }

    /// The same, and returns also which of the hosts that the person has named the step accepts.
    /// `url_fields` are the fields of the form that was shown, in which a person can write a URL.
    ///
    /// # Errors
    /// When the plugin gives no usable answer.
    pub async fn run_step(
        &self,
        view: &str,
        request: Request,
        state: State,
        named_hosts: &[String],
        url_fields: &[String],
    ) -> Result<StepOutcome, PluginError> {
        let posted = hosts_in_fields(&request.form, url_fields);
        let reachable: Vec<String> =
            named_hosts.iter().cloned().chain(posted.iter().map(ToString::to_string)).collect();
        let (outbound, reached) = (self.outbound(&reachable), ReachedHosts::default());
        let services = HostServices { outbound: &outbound, tokens: None, reached: Some(&reached) };
        let question = Question::View { view: view.to_owned(), request, state: state.clone() };
        match self.ask_with(question, &services).await? {
            TaskResult::Answered { answer: Answer::Unknown, .. } => {
                Err(PluginError::Answer("an answer of a kind that this host does not know".to_owned()))
            }
            TaskResult::Answered { answer, state: after } => {
                let reached = reached.take();
                let named = if reached.is_empty() { bound_hosts(posted, &state, &after) } else { reached };
                let named = if self.description.allows_user_supplied_hosts { named } else { Vec::new() };
                Ok(StepOutcome::new(checked_answer(answer).await?, after, &named))
            }
            _ => Err(PluginError::Answer("a step was asked, something else answered".to_owned())),
        }
    }

    /// Has the provider answer a call to its webhook. A provider without one answers 404.
    ///
    /// # Errors
    /// When the plugin gives no usable answer.
    pub async fn handle_webhook(
        &self,
        call: WebhookRequest,
        state: State,
        tokens: Option<&dyn Tokens>,
    ) -> Result<WebhookResponse, PluginError> {
        match known(self.ask_with_tokens(Question::Webhook { request: call, state }, &[], tokens).await)? {
            None => Ok(WebhookResponse::new(404)),
            Some(TaskResult::WebhookHandled { response: answer }) => Ok(answer),
            Some(_) => Err(PluginError::Answer("a webhook was called, something else answered".to_owned())),
        }
    }

    /// Has the provider read a call to its events URL. A provider without one answers 404.
    ///
    /// # Errors
    /// When the plugin gives no usable answer.
    pub async fn handle_event(&self, call: WebhookRequest) -> Result<EventResponse, PluginError> {
        match known(self.ask(Question::Event { request: call }, &[]).await)? {
            None => Ok(WebhookResponse::new(404).into()),
            Some(TaskResult::EventHandled { response }) => Ok(response),
            Some(_) => Err(PluginError::Answer("the events URL was called, something else answered".to_owned())),
        }
    }

    /// Has the provider refresh a grant its own way. [`Refreshed::Default`] leaves it to the host.
    ///
    /// # Errors
    /// When the plugin gives no usable answer, or the service gave it none.
    pub async fn refresh(
        &self,
        grant: Grant,
        metadata: State,
        named_hosts: &[String],
    ) -> Result<Refreshed, PluginError> {
        let question = Question::Refresh { grant: Box::new(grant), metadata };
        match known(self.ask(question, named_hosts).await)? {
            None | Some(TaskResult::Refreshed { refreshed: Refreshed::Unknown }) => Ok(Refreshed::Default),
            Some(TaskResult::Refreshed { refreshed }) => checked_refresh(refreshed),
            Some(_) => Err(PluginError::Answer("a refresh was asked for, something else answered".to_owned())),
        }
    }

    /// Has the provider revoke grants its own way. [`Revoked::Default`] leaves it to the host.
    ///
    /// # Errors
    /// When the grants may not be revoked.
    pub async fn revoke(&self, request: RevokeRequest, named_hosts: &[String]) -> Result<Revoked, PluginError> {
        match known(self.ask(Question::Revoke { request }, named_hosts).await)? {
            None | Some(TaskResult::Revoked { revoked: Revoked::Unknown }) => Ok(Revoked::Default),
            Some(TaskResult::Revoked { revoked }) => Ok(with_escaped_words(revoked)),
            Some(_) => Err(PluginError::Answer("a revocation was asked for, something else answered".to_owned())),
        }
    }

    /// The authorization server of a step by its name, or of the first such step if the name is
    /// empty. `state` is for a server that depends on it. `None` if there is no such step.
    ///
    /// # Errors
    /// When the plugin gives no usable answer.
    pub async fn server_of(
        &self,
        step: &str,
        state: &State,
        named_hosts: &[String],
    ) -> Result<Option<OAuth2>, PluginError> {
        let is_it = |candidate: &&Step| {
            (step.is_empty() || candidate.name == step)
                && matches!(candidate.kind, StepKind::OAuth2(_) | StepKind::OAuth2FromState)
        };
        match self.steps().iter().find(is_it) {
            None => Ok(None),
            Some(Step { kind: StepKind::OAuth2(oauth2), .. }) => Ok(Some((**oauth2).clone())),
            Some(Step { name, .. }) => self.oauth2(name, state.clone(), named_hosts).await.map(Some),
        }
    }

    /// Builds the integration from the state after the last step.
    ///
    /// # Errors
    /// When the plugin gives no usable answer, or one without an external id.
    pub async fn build_integration(&self, state: State, named_hosts: &[String]) -> Result<Integration, PluginError> {
        // The token answer, as the host's own step has bound it.
        let token_answer = state.get("data").cloned();
        match self.ask(Question::BuildIntegration { state }, named_hosts).await? {
            TaskResult::Built { integration } if integration.external_id.is_empty() => {
                Err(PluginError::Answer("the integration has no external id".to_owned()))
            }
            TaskResult::Built { integration } => {
                self.with_account_api(checked_integration(integration)?, token_answer.as_ref())
            }
            _ => Err(PluginError::Answer("an integration was asked for, something else answered".to_owned())),
        }
    }
}

/// The answer; `None` from a plugin that does not know the question, or has no such thing.
fn known(asked: Result<TaskResult, PluginError>) -> Result<Option<TaskResult>, PluginError> {
    match asked {
        Err(PluginError::Fault(fault)) if fault.kind == FaultKind::Unsupported => Ok(None),
        other => other.map(Some),
    }
}

/// The library's digest and one of the options. It must not leave this process: somebody who knows
/// the other options could guess a short one from it.
fn fingerprint(info: &PluginInfo, options: &ProviderOptions) -> String {
    let table = serde_json::to_vec(&options.table).expect("options are plain JSON");
    format!("{} {}", info.digest, digest(&table))
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, .. } = self;
        f.debug_struct("Provider").field("id", id).field("name", name).finish_non_exhaustive()
    }
}
