//! Tests for a Jackfield provider plugin, in process, through the same bytes that a host exchanges with it.
//!
//! ```
//! use jackfield_plugin::{Answer, Host, HttpRequest, HttpResponse, Integration, NoOptions, Pipeline, Provider, Result, State, Step, value};
//! use jackfield_plugin_test::Harness;
//! use serde_json::json;
//!
//! struct Acme;
//!
//! impl Provider for Acme {
//!     type Options = NoOptions;
//!     const ID: &'static str = "acme";
//!     const NAME: &'static str = "Acme";
//!     fn new(_: NoOptions) -> Self { Acme }
//!     fn pipeline(&self) -> Pipeline { Pipeline::new().view("team", ask_team) }
//!     async fn build_integration(&self, state: State, _: Host) -> Result<Integration> {
//!         Ok(Integration::new(value::<String>(&state, "team")?))
//!     }
//! }
//!
//! async fn ask_team(mut step: Step) -> Result<Answer> {
//!     let Some(name) = step.form("name") else { return Ok(Answer::html("<form method='POST'>…</form>")) };
//!     let found = step.send(HttpRequest::get(format!("https://acme.example/teams/{name}"))).await?;
//!     step.bind("team", found.text());
//!     Ok(Answer::Next)
//! }
//!
//! let mut acme = Harness::<Acme>::new(json!({})).answers("https://acme.example/teams/ada", HttpResponse::new(200, "T1"));
//! assert!(acme.get().html().contains("<form"));
//! assert_eq!(acme.post(&[("name", "ada")]).integration().external_id, "T1");
//! ```

mod outcome;

use std::{collections::VecDeque, marker::PhantomData};

use jackfield_plugin::{
    __private::{Exporter, Registry, call},
    Error, HttpRequest, HttpResponse, Integration, OAuth2, Provider, Request, Result, State,
};
use jackfield_plugin_abi::envelope::{
    Answer, CreateIn, CreateOut, Fault, Input, LogLine, Question, Reply, ResumeIn, StartIn, StepKind, Turn, TurnOut, op,
};
pub use outcome::Outcome;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Where the harness says that a set-up is.
pub const SETUP_URL: &str = "https://jackfield.example/extensions/plugin/setup/";

/// One provider with one set-up, as a host would run it.
pub struct Harness<P> {
    registry: &'static Registry,
    description: CreateOut,
    step: usize,
    state: State,
    answers: VecDeque<(String, HttpResponse)>,
    requests: Vec<HttpRequest>,
    log: Vec<LogLine>,
    provider: PhantomData<P>,
}

impl<P: Provider> Harness<P> {
    /// Makes the provider from an operator's options.
    ///
    /// # Panics
    /// When the options do not fit: with each mistake, as the operator would be told.
    #[must_use]
    pub fn new(options: Value) -> Self {
        Self::create(options).unwrap_or_else(|fault| panic!("the provider cannot be made: {}", in_words(&fault)))
    }

    /// What an operator would be told of options that do not fit, a line for each mistake.
    ///
    /// # Panics
    /// When they do fit.
    #[must_use]
    pub fn mistakes(options: Value) -> String {
        match Self::create(options) {
            Ok(_) => panic!("the options fit"),
            Err(fault) => in_words(&fault),
        }
    }

    fn create(options: Value) -> std::result::Result<Self, Fault> {
        let Value::Object(options) = options else { panic!("options are a JSON object, like the operator's table") };
        // One small leak per harness: a library is never unloaded either.
        let registry: &'static Registry = Box::leak(Box::new(Registry::new(|| vec![Exporter::of::<P>()])));
        let asked = CreateIn { provider: P::ID.to_owned(), options };
        let (description, log) = ask(registry, op::CREATE, &asked);
        Ok(Self {
            registry,
            description: description?,
            step: 0,
            state: State::new(),
            answers: VecDeque::new(),
            requests: Vec::new(),
            log,
            provider: PhantomData,
        })
    }

    /// Scripts the answer to the next request to this URL, compared up to its query.
    #[must_use]
    pub fn answers(mut self, url: impl Into<String>, response: HttpResponse) -> Self {
        self.answers.push_back((url.into(), response));
        self
    }

    /// Binds a value, as an earlier step would have: `data` is what the host's OAuth 2.0 steps bind.
    #[must_use]
    pub fn bound(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.state.insert(key.into(), value.into());
        self
    }

    /// Visits the current step.
    pub fn get(&mut self) -> Outcome {
        self.visit(Request::new("GET", SETUP_URL))
    }

    /// Visits the current step with query parameters.
    pub fn get_with(&mut self, query: &[(&str, &str)]) -> Outcome {
        let mut request = Request::new("GET", SETUP_URL);
        request.query = pairs(query);
        self.visit(request)
    }

    /// Posts a form to the current step.
    pub fn post(&mut self, form: &[(&str, &str)]) -> Outcome {
        let mut request = Request::new("POST", SETUP_URL);
        request.form = pairs(form);
        self.visit(request)
    }

    /// Runs the pipeline from the current step as far as it goes: to an answer, to a step of the host's, or to the integration.
    fn visit(&mut self, request: Request) -> Outcome {
        while let Some(step) = self.description.steps.get(self.step) {
            let StepKind::View = step.kind else { return Outcome::HostStep };
            let view = step.name.clone();
            let question = Question::View { view, request: request.clone(), state: self.state.clone() };
            match self.converse(question) {
                Ok(Turn::Answered { answer: Answer::Next, state }) => {
                    self.state = state;
                    self.step += 1;
                }
                Ok(Turn::Answered { answer, state }) => {
                    self.state = state;
                    return Outcome::Answer(answer);
                }
                Ok(turn) => panic!("a step was asked and answered {turn:?}"),
                Err(fault) => return Outcome::Failed(in_words(&fault)),
            }
        }
        Outcome::Built(self.build().map_err(|error| error.to_string()))
    }

    /// Builds the integration from what is bound.
    ///
    /// # Errors
    /// What the provider answers.
    pub fn build(&mut self) -> Result<Integration> {
        match self.converse(Question::BuildIntegration { state: self.state.clone() }) {
            Ok(Turn::Built { integration }) => Ok(integration),
            Ok(turn) => panic!("an integration was asked for and answered {turn:?}"),
            Err(fault) => Err(Error::new(in_words(&fault))),
        }
    }

    fn converse(&mut self, question: Question) -> std::result::Result<Turn, Fault> {
        let asked = StartIn { instance: self.description.instance, question };
        let mut out: TurnOut = self.ask(op::START, &asked)?;
        while let Turn::Wants { task, request } = out.turn {
            let input = self.scripted(&request);
            self.requests.push(request);
            out = self.ask(op::RESUME, &ResumeIn { task, input })?;
        }
        Ok(out.turn)
    }

    fn scripted(&mut self, request: &HttpRequest) -> Input {
        let url = request.url.split('?').next().unwrap_or_default();
        match self.answers.iter().position(|(wanted, _)| wanted == url) {
            Some(at) => {
                let (_, response) = self.answers.remove(at).expect("the position was just found");
                Input::Response { response }
            }
            None => Input::Failed { message: format!("no answer is scripted for {} {url}", request.method) },
        }
    }

    fn ask<T: DeserializeOwned>(&mut self, op: &str, asked: &impl Serialize) -> std::result::Result<T, Fault> {
        let (answer, log) = ask(self.registry, op, asked);
        self.log.extend(log);
        answer
    }

    /// What the pipeline's first OAuth 2.0 step tells the host.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn oauth2(&self) -> OAuth2 {
        let mut steps = self.description.steps.iter();
        let found = steps.find_map(|step| match &step.kind {
            StepKind::OAuth2(oauth2) => Some((**oauth2).clone()),
            StepKind::View | StepKind::Unknown => None,
        });
        found.expect("the pipeline has an OAuth 2.0 step")
    }

    /// Options that are not set and keep the provider from being offered.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        &self.description.missing
    }

    /// Whether the provider would be offered to people.
    #[must_use]
    pub const fn is_configured(&self) -> bool {
        self.description.is_configured
    }

    /// Every request the provider had the host send.
    #[must_use]
    pub fn requests(&self) -> &[HttpRequest] {
        &self.requests
    }

    /// Every line the provider logged.
    #[must_use]
    pub fn log(&self) -> Vec<&str> {
        self.log.iter().map(|line| line.message.as_str()).collect()
    }
}

fn ask<T: DeserializeOwned>(
    registry: &Registry,
    op: &str,
    asked: &impl Serialize,
) -> (std::result::Result<T, Fault>, Vec<LogLine>) {
    let body = serde_json::to_vec(asked).expect("envelopes are plain JSON");
    let mut reply: Reply<T> = serde_json::from_slice(&call(registry, op, &body)).expect("the glue answers a reply");
    let log = std::mem::take(&mut reply.log);
    (reply.into_result(), log)
}

fn in_words(fault: &Fault) -> String {
    if fault.options.is_empty() {
        return fault.message.clone();
    }
    fault.options.iter().map(|mistake| format!("{}: {}", mistake.key, mistake.message)).collect::<Vec<_>>().join("\n")
}

fn pairs(given: &[(&str, &str)]) -> Vec<(String, String)> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
