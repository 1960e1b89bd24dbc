//! Runs a provider in the test's own process, through the bytes that a host exchanges with it. It
//! refuses what a host refuses, with the host's messages: otherwise a test that passes would say
//! nothing about a host.

use jackfield_plugin::{
    __private::{ProviderType, Registry, call},
    EventResponse, Grant, HttpRequest, Integration, OAuth2, Provider, Refreshed, Request, RevokeRequest, Revoked,
    State, WebhookRequest, WebhookResponse,
};
use jackfield_plugin_abi::{
    envelope::{
        Answer, CreateIn, CreateOut, Fault, FaultKind, Input, LogLine, Question, Reply, ResumeIn, StartIn, Step,
        StepKind, TaskOut, TaskResult, op,
    },
    host_pattern::{
        HostPattern, HostPatternError, bound_hosts, hosts_in_fields, hosts_of, requested_hosts, url_fields,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use crate::{
    mocks::{MockReply, Mocks},
    outcome::OutcomeKind,
};

/// A host sends this many requests for one question.
const MAX_REQUESTS: usize = 20;

/// A provider and one setup.
pub(crate) struct InProcess {
    registry: &'static Registry,
    pub(crate) description: CreateOut,
    requested_hosts: Vec<HostPattern>,
    /// Hosts of URLs that the person has posted.
    user_supplied_hosts: Vec<HostPattern>,
    /// Hosts of the URLs in the fields of the request that is answered now.
    named_now: Vec<HostPattern>,
    /// Hosts that the step wants to reach that is answered now.
    reached: Vec<HostPattern>,
    /// Fields of the form that was shown last, in which a person can write a URL.
    url_fields: Vec<String>,
    mocks: Mocks,
    step: usize,
    pub(crate) state: State,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) now: u64,
    pub(crate) log: Vec<LogLine>,
    /// What `Host::token` returns.
    pub(crate) tokens: Vec<Grant>,
}

impl InProcess {
    pub(crate) fn create<P: Provider>(options: &State, mocks: Mocks, now: u64) -> Result<Self, Fault> {
        // One small leak per harness. A library is never unloaded either.
        let registry: &'static Registry = Box::leak(Box::new(Registry::new(|| vec![ProviderType::of::<P>()])));
        let create = CreateIn { provider: P::ID.to_owned(), options: options.clone() };
        let mut reply: Reply<CreateOut> = call_reply(registry, op::CREATE, &create);
        let log = std::mem::take(&mut reply.log);
        let description = reply.into_result()?;
        let requested_hosts = requested_hosts(&description, options)
            .map_err(|host| failed(format!("it declares `{host}`, which is not a host; {}", HostPatternError::HELP)))?;
        Ok(Self {
            registry,
            description,
            requested_hosts,
            user_supplied_hosts: Vec::new(),
            named_now: Vec::new(),
            reached: Vec::new(),
            url_fields: Vec::new(),
            mocks,
            step: 0,
            state: State::new(),
            now,
            log,
            tokens: Vec::new(),
        })
    }

    /// Starts a setup at the first step, with this state.
    pub(crate) fn start_setup(&mut self, state: State) {
        (self.step, self.state) = (0, state);
        self.user_supplied_hosts.clear();
        self.url_fields.clear();
    }

    /// Kind of the current step. `None` after the last.
    pub(crate) fn current_kind(&self) -> Option<&StepKind> {
        self.description.steps.get(self.step).map(|step| &step.kind)
    }

    /// Name of the current step.
    pub(crate) fn step_name(&self) -> String {
        self.description.steps.get(self.step).map_or("the build", |step| &step.name).to_owned()
    }

    /// Runs the pipeline from the current step: to an answer, to a step of the host, or to the
    /// integration.
    pub(crate) fn send(&mut self, request: &Request) -> OutcomeKind {
        while let Some(step) = self.description.steps.get(self.step) {
            let view = step.name.clone();
            match step.kind {
                StepKind::View => {}
                StepKind::OAuth2FromState => return outcome(self.oauth2(&view), |_| OutcomeKind::OAuth2),
                StepKind::OAuth2(_) | StepKind::Unknown => return OutcomeKind::OAuth2,
            }
            match self.ask_view(view, request) {
                Ok(TaskResult::Answered { answer: Answer::Next, .. }) => self.step += 1,
                Ok(TaskResult::Answered { answer, .. }) => return checked_answer(answer),
                Ok(_) => return OutcomeKind::Failed("a step was asked, something else answered".to_owned()),
                Err(fault) => return OutcomeKind::Failed(fault_text(&fault)),
            }
        }
        outcome(self.build(), checked_integration)
    }

    /// Runs a step of the plugin, and takes over its state and the hosts that it has accepted.
    fn ask_view(&mut self, view: String, request: &Request) -> Result<TaskResult, Fault> {
        self.named_now = hosts_in_fields(&request.form, &self.url_fields);
        self.reached.clear();
        let asked = self.ask(Question::View { view, request: request.clone(), state: self.state.clone() });
        let (named, reached) = (std::mem::take(&mut self.named_now), std::mem::take(&mut self.reached));
        let Ok(TaskResult::Answered { answer, state }) = &asked else { return asked };
        let accepted = if reached.is_empty() { bound_hosts(named, &self.state, state) } else { reached };
        if matches!(answer, Answer::Next | Answer::Redirect { .. }) && !accepted.is_empty() {
            self.user_supplied_hosts = accepted;
        }
        self.url_fields = if let Answer::Form { form } = answer { url_fields(form) } else { Vec::new() };
        self.state = state.clone();
        asked
    }

    /// The authorization server of the next OAuth 2.0 step, or of the first if there is none. Uses
    /// the current state.
    pub(crate) fn next_oauth2(&mut self) -> Option<Result<OAuth2, Fault>> {
        let steps = &self.description.steps;
        let is_oauth2 = |step: &&Step| matches!(step.kind, StepKind::OAuth2(_) | StepKind::OAuth2FromState);
        let step = steps.iter().skip(self.step).chain(steps).find(is_oauth2)?.clone();
        match step.kind {
            StepKind::OAuth2(oauth2) => Some(Ok(*oauth2)),
            _ => Some(self.oauth2(&step.name)),
        }
    }

    fn oauth2(&mut self, step: &str) -> Result<OAuth2, Fault> {
        let question = Question::OAuth2 { step: step.to_owned(), state: self.state.clone() };
        let TaskResult::OAuth2 { oauth2 } = self.ask(question)? else {
            return Err(failed("an authorization server was asked for, something else answered"));
        };
        let missing = oauth2.missing();
        if !missing.is_empty() {
            return Err(failed(format!("the authorization server of `{step}` lacks {}", missing.join(", "))));
        }
        Ok(*oauth2)
    }

    /// Does what the host's own step does after its token request.
    pub(crate) fn finish_oauth2(&mut self, token_response: State) -> Result<(), Fault> {
        if let Some(oauth2) = self.next_oauth2()
            && let Ok(url) = Url::parse(&oauth2?.token_url)
        {
            self.check_host(&url).map_err(failed)?;
        }
        self.state.insert("data".to_owned(), token_response.into());
        self.step += 1;
        Ok(())
    }

    /// Checks that the provider may send requests to the host of this URL.
    fn check_host(&self, url: &Url) -> Result<(), String> {
        let named = self.user_supplied_hosts.iter().chain(&self.named_now).chain(&self.reached);
        let named = named.filter(|_| self.description.allows_user_supplied_hosts);
        if self.requested_hosts.iter().chain(named).any(|pattern| pattern.matches(url)) {
            return Ok(());
        }
        let host = url.host_str().unwrap_or_default();
        Err(format!("{host} is not among the plugin's allowed hosts: name it in `Provider::hosts`"))
    }

    pub(crate) fn build(&mut self) -> Result<Integration, Fault> {
        match self.ask(Question::BuildIntegration { state: self.state.clone() })? {
            TaskResult::Built { integration } => Ok(integration),
            _ => Err(failed("an integration was asked for, something else answered")),
        }
    }

    pub(crate) fn handle_webhook(&mut self, request: WebhookRequest, state: State) -> Result<WebhookResponse, Fault> {
        match self.ask(Question::Webhook { request, state })? {
            TaskResult::WebhookHandled { response } => Ok(response),
            _ => Err(failed("a webhook was called, something else answered")),
        }
    }

    /// A host does not ask a provider that handles no events.
    pub(crate) fn handle_event(&mut self, request: WebhookRequest) -> Result<EventResponse, Fault> {
        if !(self.description.is_configured && self.description.handles_events) {
            return Ok(WebhookResponse::new(404).into());
        }
        match self.ask(Question::Event { request })? {
            TaskResult::EventHandled { response } => Ok(response),
            _ => Err(failed("the events URL was called, something else answered")),
        }
    }

    pub(crate) fn refresh(&mut self, grant: Grant, metadata: State) -> Result<Refreshed, Fault> {
        match self.ask(Question::Refresh { grant: Box::new(grant), metadata })? {
            TaskResult::Refreshed { refreshed } => Ok(refreshed),
            _ => Err(failed("a refresh was asked for, something else answered")),
        }
    }

    pub(crate) fn revoke(&mut self, request: RevokeRequest) -> Result<Revoked, Fault> {
        match self.ask(Question::Revoke { request })? {
            TaskResult::Revoked { revoked } => Ok(revoked),
            _ => Err(failed("a revocation was asked for, something else answered")),
        }
    }

    /// Asks a question, and answers what the plugin asks the host for in between.
    fn ask(&mut self, question: Question) -> Result<TaskResult, Fault> {
        let start = StartIn { instance: self.description.instance, question, now: self.now };
        let mut output: TaskOut = self.call(op::START, &start)?;
        for _ in 0..MAX_REQUESTS {
            let (task, input) = match output.result {
                TaskResult::AwaitsResponse { task, request } => (task, self.reply(request).into_input()),
                TaskResult::AwaitsToken { task, grant, subject } => (task, self.token(&grant, &subject)),
                done => return Ok(done),
            };
            output = self.call(op::RESUME, &ResumeIn { task, input, now: self.now })?;
        }
        match output.result {
            TaskResult::AwaitsResponse { .. } | TaskResult::AwaitsToken { .. } => {
                Err(failed(format!("the plugin asked for more than {MAX_REQUESTS} requests in one step")))
            }
            done => Ok(done),
        }
    }

    /// Finds a grant as a host does: an empty name is the first, an empty subject any.
    fn token(&self, name: &str, subject: &str) -> Input {
        let is_match = |grant: &&Grant| {
            (name.is_empty() || grant.name == name) && (subject.is_empty() || grant.subject == subject)
        };
        self.tokens.iter().find(is_match).map_or_else(
            || Input::Failed { message: format!("there is no grant `{name}`") },
            |grant| Input::Token { grant: Box::new(grant.clone()) },
        )
    }

    fn reply(&self, request: HttpRequest) -> MockReply {
        match Url::parse(&request.url) {
            Ok(url) => self.check_host(&url).map_or_else(MockReply::Error, |()| self.mocks.reply(request)),
            Err(_) => MockReply::Error("not an absolute http or https URL".to_owned()),
        }
    }

    fn call<T: DeserializeOwned>(&mut self, op: &str, input: &impl Serialize) -> Result<T, Fault> {
        let mut reply = call_reply(self.registry, op, input);
        self.log.extend(std::mem::take(&mut reply.log));
        self.reached.extend(hosts_of(&reply.reach));
        reply.into_result()
    }
}

fn call_reply<T: DeserializeOwned>(registry: &Registry, op: &str, input: &impl Serialize) -> Reply<T> {
    let body = serde_json::to_vec(input).expect("envelopes are plain JSON");
    serde_json::from_slice(&call(registry, op, &body)).expect("the glue answers a reply")
}

fn failed(message: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Failed, message)
}

fn outcome<T>(result: Result<T, Fault>, ok: impl FnOnce(T) -> OutcomeKind) -> OutcomeKind {
    result.map_or_else(|fault| OutcomeKind::Failed(fault_text(&fault)), ok)
}

/// A redirect may lead anywhere on the web, and nowhere else.
fn checked_answer(answer: Answer) -> OutcomeKind {
    match &answer {
        Answer::Redirect { url } if !Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) => {
            OutcomeKind::Failed("the step's redirect is not an absolute http or https URL".to_owned())
        }
        _ => OutcomeKind::Answer(answer),
    }
}

fn checked_integration(integration: Integration) -> OutcomeKind {
    if integration.external_id.is_empty() {
        return OutcomeKind::Failed("the integration has no external id".to_owned());
    }
    OutcomeKind::Built(integration)
}

/// What an operator reads: a line for each diagnostic of the options.
pub(crate) fn fault_text(fault: &Fault) -> String {
    if fault.options.is_empty() {
        return fault.to_string();
    }
    let lines = fault.options.iter().map(|diagnostic| format!("{}: {}", diagnostic.key, diagnostic.message));
    lines.collect::<Vec<_>>().join("\n")
}
