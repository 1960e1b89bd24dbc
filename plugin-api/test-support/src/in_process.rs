//! Runs a provider in the test's own process, through the bytes that a host exchanges with it. What a host refuses is refused here in its
//! words; where it is not, a test that passes would say nothing about a host.

use jackfield_plugin::{
    __private::{Exporter, Registry, call},
    EventResponse, Grant, HttpRequest, Integration, OAuth2, Provider, Refreshed, Request, RevokeRequest, Revoked,
    State, WebhookAnswer, WebhookCall,
};
use jackfield_plugin_abi::{
    envelope::{
        Answer, CreateIn, CreateOut, Fault, FaultKind, Input, LogLine, Question, Reply as Envelope, ResumeIn, StartIn,
        Step, StepKind, TaskOut, TaskResult, op,
    },
    reach::{HostPattern, asked, named},
};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use crate::{
    outcome::Came,
    script::{Reply, Script},
};

/// As many as a host sends for one step.
const MOST_REQUESTS: usize = 20;

/// A provider and one set-up.
pub(crate) struct InProcess {
    registry: &'static Registry,
    pub(crate) description: CreateOut,
    reach: Vec<HostPattern>,
    /// What the person has named in forms.
    named: Vec<HostPattern>,
    script: Script,
    step: usize,
    pub(crate) state: State,
    pub(crate) now: u64,
    pub(crate) log: Vec<LogLine>,
    /// What is lent to who asks for a token.
    pub(crate) grants: Vec<Grant>,
}

impl InProcess {
    pub(crate) fn create<P: Provider>(options: &State, script: Script, now: u64) -> Result<Self, Fault> {
        // One small leak per harness: a library is never unloaded either.
        let registry: &'static Registry = Box::leak(Box::new(Registry::new(|| vec![Exporter::of::<P>()])));
        let create = CreateIn { provider: P::ID.to_owned(), options: options.clone() };
        let (description, log) = ask(registry, op::CREATE, &create);
        let description: CreateOut = description?;
        let reach = asked(&description, options).map_err(|host| {
            Fault::new(FaultKind::Failed, format!("it declares `{host}`, which is not a host; {}", MEND))
        })?;
        Ok(Self {
            registry,
            description,
            reach,
            named: Vec::new(),
            script,
            step: 0,
            state: State::new(),
            now,
            log,
            grants: Vec::new(),
        })
    }

    /// Back to the first step, with what is bound from the beginning.
    pub(crate) fn begin(&mut self, state: State) {
        (self.step, self.state) = (0, state);
        self.named.clear();
    }

    /// Who runs the current step; nobody after the last.
    pub(crate) fn current_kind(&self) -> Option<&StepKind> {
        self.description.steps.get(self.step).map(|step| &step.kind)
    }

    /// Name of the current step.
    pub(crate) fn step_name(&self) -> String {
        self.description.steps.get(self.step).map_or("the build", |step| &step.name).to_owned()
    }

    /// Runs the pipeline from the current step as far as it goes: to an answer, to a step of the host's, or to the integration.
    pub(crate) fn visit(&mut self, request: &Request) -> Came {
        if self.description.hosts_from_forms {
            self.named.extend(named(&request.form));
        }
        while let Some(step) = self.description.steps.get(self.step) {
            let view = step.name.clone();
            match step.kind {
                StepKind::View => {}
                StepKind::OAuth2FromState => {
                    return self.oauth2(&view).map_or_else(|fault| Came::Failed(in_words(&fault)), |_| Came::OAuth2);
                }
                StepKind::OAuth2(_) | StepKind::Unknown => return Came::OAuth2,
            }
            let question = Question::View { view, request: request.clone(), state: self.state.clone() };
            match self.converse(question) {
                Ok(TaskResult::Answered { answer: Answer::Next, state }) => {
                    self.state = state;
                    self.step += 1;
                }
                Ok(TaskResult::Answered { answer, state }) => {
                    self.state = state;
                    return checked(answer);
                }
                Ok(_) => return Came::Failed("a step was asked, something else answered".to_owned()),
                Err(fault) => return Came::Failed(in_words(&fault)),
            }
        }
        self.build().map_or_else(|fault| Came::Failed(in_words(&fault)), built)
    }

    /// What the first step from here, or else from the beginning, tells the host of its authorization server, with what is bound by now.
    pub(crate) fn next_oauth2(&mut self) -> Option<Result<OAuth2, Fault>> {
        let steps = &self.description.steps;
        let is_told = |step: &&Step| matches!(step.kind, StepKind::OAuth2(_) | StepKind::OAuth2FromState);
        let step = steps.iter().skip(self.step).chain(steps).find(is_told)?.clone();
        match step.kind {
            StepKind::OAuth2(oauth2) => Some(Ok(*oauth2)),
            _ => Some(self.oauth2(&step.name)),
        }
    }

    fn oauth2(&mut self, step: &str) -> Result<OAuth2, Fault> {
        let failed = |message: String| Err(Fault::new(FaultKind::Failed, message));
        let question = Question::OAuth2 { step: step.to_owned(), state: self.state.clone() };
        let TaskResult::OAuth2 { oauth2 } = self.converse(question)? else {
            return failed("an authorization server was asked for, something else answered".to_owned());
        };
        let missing = oauth2.missing();
        if !missing.is_empty() {
            return failed(format!("the authorization server of `{step}` lacks {}", missing.join(", ")));
        }
        Ok(*oauth2)
    }

    /// What the host's own step does once its token request is answered.
    pub(crate) fn finish_oauth2(&mut self, data: State) -> Result<(), Fault> {
        if let Some(oauth2) = self.next_oauth2()
            && let Ok(url) = Url::parse(&oauth2?.token_url)
        {
            self.check_reach(&url).map_err(|message| Fault::new(FaultKind::Failed, message))?;
        }
        self.state.insert("data".to_owned(), data.into());
        self.step += 1;
        Ok(())
    }

    fn check_reach(&self, url: &Url) -> Result<(), String> {
        if self.reach.iter().chain(&self.named).any(|pattern| pattern.covers(url)) {
            return Ok(());
        }
        let host = url.host_str().unwrap_or_default();
        Err(format!("{host} is not among the plugin's allowed hosts: name it in `Provider::hosts`"))
    }

    pub(crate) fn build(&mut self) -> Result<Integration, Fault> {
        match self.converse(Question::BuildIntegration { state: self.state.clone() })? {
            TaskResult::Built { integration } => Ok(integration),
            _ => Err(Fault::new(FaultKind::Failed, "an integration was asked for, something else answered")),
        }
    }

    pub(crate) fn receive(&mut self, call: WebhookCall, state: State) -> Result<WebhookAnswer, Fault> {
        match self.converse(Question::Webhook { call, state })? {
            TaskResult::Received { answer } => Ok(answer),
            _ => Err(Fault::new(FaultKind::Failed, "a webhook was called, something else answered")),
        }
    }

    /// A host asks nobody who takes no events.
    pub(crate) fn handle_event(&mut self, call: WebhookCall) -> Result<EventResponse, Fault> {
        if !(self.description.is_configured && self.description.takes_events) {
            return Ok(WebhookAnswer::new(404).into());
        }
        match self.converse(Question::Event { call })? {
            TaskResult::EventHandled { response: told } => Ok(told),
            _ => Err(Fault::new(FaultKind::Failed, "the events URL was called, something else answered")),
        }
    }

    pub(crate) fn refresh(&mut self, grant: Grant, metadata: State) -> Result<Refreshed, Fault> {
        match self.converse(Question::Refresh { grant: Box::new(grant), metadata })? {
            TaskResult::Refreshed { refreshed } => Ok(refreshed),
            _ => Err(Fault::new(FaultKind::Failed, "a refresh was asked for, something else answered")),
        }
    }

    pub(crate) fn revoke(&mut self, leaving: RevokeRequest) -> Result<Revoked, Fault> {
        match self.converse(Question::Revoke { request: leaving })? {
            TaskResult::Revoked { revoked } => Ok(revoked),
            _ => Err(Fault::new(FaultKind::Failed, "a revocation was asked for, something else answered")),
        }
    }

    fn converse(&mut self, question: Question) -> Result<TaskResult, Fault> {
        let start = StartIn { instance: self.description.instance, question, now: self.now };
        let mut out: TaskOut = self.ask(op::START, &start)?;
        for _ in 0..MOST_REQUESTS {
            let (task, input) = match out.result {
                TaskResult::Wants { task, request } => (task, self.reply(request).into_input()),
                TaskResult::WantsToken { task, grant, subject } => (task, self.token(&grant, &subject)),
                over => return Ok(over),
            };
            out = self.ask(op::RESUME, &ResumeIn { task, input, now: self.now })?;
        }
        match out.result {
            TaskResult::Wants { .. } | TaskResult::WantsToken { .. } => {
                let message = format!("the plugin asked for more than {MOST_REQUESTS} requests in one step");
                Err(Fault::new(FaultKind::Failed, message))
            }
            turn => Ok(turn),
        }
    }

    /// As a host finds it: by name and subject, where an empty name is the first and an empty subject any.
    fn token(&self, name: &str, subject: &str) -> Input {
        let is_it = |grant: &&Grant| {
            (name.is_empty() || grant.name == name) && (subject.is_empty() || grant.subject == subject)
        };
        self.grants.iter().find(is_it).map_or_else(
            || Input::Failed { message: format!("there is no grant `{name}`") },
            |grant| Input::Token { grant: Box::new(grant.clone()) },
        )
    }

    fn reply(&self, request: HttpRequest) -> Reply {
        match Url::parse(&request.url) {
            Ok(url) => self.check_reach(&url).map_or_else(Reply::Failure, |()| self.script.reply(request)),
            Err(_) => Reply::Failure("not an absolute http or https URL".to_owned()),
        }
    }

    fn ask<T: DeserializeOwned>(&mut self, op: &str, asked: &impl Serialize) -> Result<T, Fault> {
        let (answer, log) = ask(self.registry, op, asked);
        self.log.extend(log);
        answer
    }
}

const MEND: &str = jackfield_plugin_abi::reach::NotAHost::MEND;

fn ask<T: DeserializeOwned>(registry: &Registry, op: &str, asked: &impl Serialize) -> (Result<T, Fault>, Vec<LogLine>) {
    let body = serde_json::to_vec(asked).expect("envelopes are plain JSON");
    let mut reply: Envelope<T> = serde_json::from_slice(&call(registry, op, &body)).expect("the glue answers a reply");
    let log = std::mem::take(&mut reply.log);
    (reply.into_result(), log)
}

/// A redirect may lead anywhere on the web, and nowhere else.
fn checked(answer: Answer) -> Came {
    match &answer {
        Answer::Redirect { url } if !Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) => {
            Came::Failed("the step's redirect is not an absolute http or https URL".to_owned())
        }
        _ => Came::Answer(answer),
    }
}

fn built(integration: Integration) -> Came {
    if integration.external_id.is_empty() {
        return Came::Failed("the integration has no external id".to_owned());
    }
    Came::Built(integration)
}

/// As an operator would be told: a line for each diagnostic of the options.
pub(crate) fn in_words(fault: &Fault) -> String {
    if fault.options.is_empty() {
        return fault.to_string();
    }
    fault
        .options
        .iter()
        .map(|diagnostic| format!("{}: {}", diagnostic.key, diagnostic.message))
        .collect::<Vec<_>>()
        .join("\n")
}
