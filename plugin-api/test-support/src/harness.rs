//! What a test holds: one provider, one set-up, and what the world outside answers.

use std::{marker::PhantomData, path::PathBuf, time::Duration};

use jackfield_plugin::{Api, Error, HttpRequest, HttpResponse, Integration, OAuth2, Provider, Request, Result, State};
use jackfield_plugin_abi::envelope::{Answer, StepKind};
use serde_json::Value;

use crate::{
    in_process::{InProcess, in_words},
    outcome::{Came, Outcome},
    real_host::{RealHost, diagnostics},
    script::{Reply, Script},
};

/// What the clock of a harness says until it is [set](Harness::at): 2023-11-14T22:13:20Z, in Unix seconds.
pub const NOW: u64 = 1_700_000_000;

/// Names the host that tests go through; see the [front page](crate#through-a-real-host).
const SWITCH: &str = "JACKFIELD_PLUGIN_TEST_HOST";

/// One provider with one set-up, as a host would run it. A set-up that has come to an end, good or bad, is used up: the next visit begins
/// another.
pub struct Harness<P> {
    options: State,
    pub(crate) inside: InProcess,
    pub(crate) script: Script,
    /// What is bound before the first step.
    bound: State,
    /// The host to go through, and it once it runs.
    switch: Option<PathBuf>,
    pub(crate) host: Option<RealHost>,
    visits: usize,
    is_over: bool,
    provider: PhantomData<P>,
}

impl<P: Provider> Harness<P> {
    /// Makes the provider from an operator's options.
    ///
    /// # Panics
    /// When the options do not fit: with each diagnostic, as the operator would be told.
    #[must_use]
    #[track_caller]
    pub fn new(options: Value) -> Self {
        let options = table(options);
        let script = Script::default();
        let inside = InProcess::create::<P>(&options, script.clone(), NOW)
            .unwrap_or_else(|fault| panic!("the provider cannot be made: {}", in_words(&fault)));
        Self {
            options,
            inside,
            script,
            bound: State::new(),
            switch: std::env::var_os(SWITCH).map(PathBuf::from),
            host: None,
            visits: 0,
            is_over: false,
            provider: PhantomData,
        }
    }

    /// What an operator would be told of options that do not fit, a line for each diagnostic.
    ///
    /// # Panics
    /// When they do fit.
    #[must_use]
    #[track_caller]
    pub fn diagnostics(options: Value) -> String {
        let options = table(options);
        if let Some(program) = std::env::var_os(SWITCH) {
            return diagnostics::<P>(&PathBuf::from(program), &options);
        }
        match InProcess::create::<P>(&options, Script::default(), NOW) {
            Ok(_) => panic!("the options fit"),
            Err(fault) => in_words(&fault),
        }
    }

    /// Scripts the answer to one request to this URL; one without a query stands for any query. Of several for one URL the first comes first.
    ///
    /// A request that no answer is scripted for fails the test, and so does a scripted answer that nothing has asked for in the end.
    #[must_use]
    pub fn answers(self, url: impl Into<String>, response: HttpResponse) -> Self {
        self.script.expect(url.into(), Reply::Response(response));
        self
    }

    /// Scripts that one request to this URL gets no answer, and why: `connection refused`.
    #[must_use]
    pub fn fails(self, url: impl Into<String>, why: impl Into<String>) -> Self {
        self.script.expect(url.into(), Reply::Failure(why.into()));
        self
    }

    /// Sets the clock, in Unix seconds; it stands still at [`NOW`] otherwise.
    #[must_use]
    pub fn at(mut self, seconds: u64) -> Self {
        self.inside.now = seconds;
        self
    }

    /// Moves the clock, in the middle of a set-up too.
    ///
    /// # Panics
    /// When the real host does not take it over.
    #[track_caller]
    pub fn advance(&mut self, by: Duration) {
        self.inside.now += by.as_secs();
        if let Some(host) = &self.host {
            host.set_clock(self.inside.now);
        }
    }

    /// Binds a value, as an earlier step would have. What is bound is sealed in a real host, so a test that binds stays in process.
    #[must_use]
    pub fn bound(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        let (key, value) = (key.into(), value.into());
        self.inside.state.insert(key.clone(), value.clone());
        self.bound.insert(key, value);
        self.stay_in_process("bound");
        self
    }

    /// Goes through this host, whatever the environment says; see the [front page](crate#through-a-real-host).
    #[must_use]
    pub fn through(mut self, host: impl Into<PathBuf>) -> Self {
        self.switch = Some(host.into());
        self
    }

    pub(crate) fn stay_in_process(&mut self, why: &str) {
        if self.switch.take().is_some() {
            eprintln!("note: a test that uses `{why}` runs in process, whatever {SWITCH} says");
        }
    }

    /// Visits the current step.
    #[track_caller]
    pub fn get(&mut self) -> Outcome {
        self.get_with(&[])
    }

    /// Visits the current step with query parameters.
    #[track_caller]
    pub fn get_with(&mut self, query: &[(&str, &str)]) -> Outcome {
        let mut request = request::<P>("GET");
        request.query = pairs(query);
        self.visit(&request)
    }

    /// Posts a form to the current step.
    #[track_caller]
    pub fn post(&mut self, form: &[(&str, &str)]) -> Outcome {
        let mut request = request::<P>("POST");
        request.form = pairs(form);
        self.visit(&request)
    }

    /// Where the set-up is: what a step reads as [`Step::setup_url`](jackfield_plugin::Step::setup_url).
    #[must_use]
    pub fn setup_url(&self) -> String {
        setup_url(P::ID)
    }

    /// Goes through the host's OAuth 2.0 step as a person who consents; the token endpoint answers this JSON, and the steps after it run.
    ///
    /// # Panics
    /// When the current step is another.
    #[track_caller]
    pub fn consents(&mut self, token_answer: Value) -> Outcome {
        let at = self.begin("the person consents");
        let came = match self.host.as_mut() {
            Some(host) => {
                let answer = HttpResponse::new(200, token_answer.to_string());
                self.script.expect_token_request(answer.with_header("content-type", "application/json"));
                host.call_back("code=scripted-code")
            }
            None => {
                self.expect_oauth2(&at);
                match self.inside.finish_oauth2(table(token_answer)) {
                    // The steps after it do not see what the authorization server answered.
                    Ok(()) => self.inside.visit(&request::<P>("GET")),
                    Err(fault) => Came::Failed(in_words(&fault)),
                }
            }
        };
        self.come(at, came)
    }

    /// Goes through the host's OAuth 2.0 step as a person who declines: they read `access_denied`.
    ///
    /// # Panics
    /// When the current step is another.
    #[track_caller]
    pub fn declines(&mut self) -> Outcome {
        let at = self.begin("the person declines");
        let came = match self.host.as_mut() {
            Some(host) => host.call_back("error=access_denied"),
            None => {
                self.expect_oauth2(&at);
                Came::Answer(Answer::error("access_denied"))
            }
        };
        self.come(at, came)
    }

    #[track_caller]
    fn expect_oauth2(&mut self, at: &str) {
        let kind = self.inside.current_kind();
        assert!(kind.is_some_and(|kind| *kind != StepKind::View), "{at}: this is no OAuth 2.0 step");
    }

    #[track_caller]
    fn visit(&mut self, request: &Request) -> Outcome {
        let sent = request.form.iter().chain(&request.query).map(|(name, value)| format!(" {name}={value}"));
        let at = self.begin(&format!("{}{}", request.method, sent.collect::<String>()));
        let came = match self.host.as_mut() {
            Some(host) => host.visit(request),
            None => self.inside.visit(request),
        };
        self.come(at, came)
    }

    /// Counts a visit, begins a set-up where there is none, and says where it is.
    #[track_caller]
    fn begin(&mut self, does: &str) -> String {
        let missing = self.inside.description.missing.join(", ");
        assert!(
            self.is_configured(),
            "the provider is not offered to people: it is not configured; missing: {missing}"
        );
        self.visits += 1;
        if std::mem::take(&mut self.is_over) {
            self.inside.begin(self.bound.clone());
        }
        if self.host.is_none()
            && let Some(program) = &self.switch
        {
            let host = RealHost::start::<P>(program, &self.options, self.script.clone(), self.inside.now);
            self.host = Some(host);
        }
        match self.host {
            Some(_) => format!("visit {} ({does})", self.visits),
            None => format!("visit {} ({does}), step `{}`", self.visits, self.inside.step_name()),
        }
    }

    #[track_caller]
    fn come(&mut self, at: String, came: Came) -> Outcome {
        self.check_script(&at);
        self.is_over = matches!(came, Came::Built(_) | Came::Failed(_) | Came::Answer(Answer::Error { .. }));
        Outcome { at, came, is_sealed: self.host.is_some() }
    }

    /// Builds the integration from what is [bound](Self::bound), without any step: in process, always.
    ///
    /// # Errors
    /// What the provider answers.
    ///
    /// # Panics
    /// When it sends a request that no answer is scripted for.
    #[track_caller]
    pub fn build(&mut self) -> Result<Integration> {
        self.stay_in_process("build");
        let built = self.inside.build();
        self.check_script("the build");
        built.map_err(|fault| Error::new(in_words(&fault)))
    }

    #[track_caller]
    pub(crate) fn check_script(&self, at: &str) {
        if let Some(unexpected) = self.script.take_unexpected() {
            panic!("{at}: {unexpected}");
        }
    }

    /// Stays in process, whatever the environment says.
    #[must_use]
    pub fn in_process(mut self) -> Self {
        self.stay_in_process("in_process");
        self
    }

    /// What the next OAuth 2.0 step tells the host, of several the first; one that depends on the state tells it by what is bound in
    /// process, so that its test [binds](Self::bound) what it needs.
    ///
    /// # Panics
    /// When there is no such step, or the provider cannot say.
    #[must_use]
    #[track_caller]
    pub fn oauth2(&mut self) -> OAuth2 {
        let told = self.inside.next_oauth2().expect("the pipeline has an OAuth 2.0 step");
        told.unwrap_or_else(|fault| panic!("the authorization server is not told: {}", in_words(&fault)))
    }

    /// Options that are not set and keep the provider from being offered.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        &self.inside.description.missing
    }

    /// Where programs that use the integration call the service's API, as [`Provider::api`] says.
    ///
    /// ```
    /// # use jackfield_plugin::{Api, Host, Integration, NoOptions, Pipeline, Provider, Result, State};
    /// # use jackfield_plugin_test::Harness;
    /// # struct Acme;
    /// # impl Provider for Acme {
    /// #     type Options = NoOptions;
    /// #     const ID: &'static str = "acme";
    /// #     const NAME: &'static str = "Acme";
    /// #     fn new(_: NoOptions) -> Self { Acme }
    /// #     fn api(&self) -> Option<Api> { Some(Api::new("https://api.acme.example/")) }
    /// #     fn pipeline(&self) -> Pipeline { Pipeline::new() }
    /// #     async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { Ok(Integration::new("1")) }
    /// # }
    /// let acme = Harness::<Acme>::new(serde_json::json!({}));
    /// assert_eq!(acme.api(), Some(&Api::new("https://api.acme.example/")));
    /// ```
    #[must_use]
    pub const fn api(&self) -> Option<&Api> {
        self.inside.description.api.as_ref()
    }

    /// Whether the provider would be offered to people.
    #[must_use]
    pub const fn is_configured(&self) -> bool {
        self.inside.description.is_configured
    }

    /// Every request that the provider had the host send, of those that were scripted. Those of the host's own OAuth 2.0 steps are not its.
    #[must_use]
    pub fn requests(&self) -> Vec<HttpRequest> {
        self.script.sent()
    }

    /// The provider has had these requests sent and no others, in this order: method, URL, headers in any order, body.
    ///
    /// # Panics
    /// When it has not, with the difference.
    #[track_caller]
    pub fn assert_sent(&self, expected: &[HttpRequest]) {
        if let Err(difference) = self.script.check_sent(expected) {
            panic!("other requests were sent {difference}");
        }
    }

    /// Every line the provider logged.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        match &self.host {
            Some(host) => host.said(),
            None => self.inside.log.iter().map(|line| line.message.clone()).collect(),
        }
    }
}

impl<P> Drop for Harness<P> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return; // The test has failed already, and says why.
        }
        if let Some(unanswered) = self.script.unanswered() {
            panic!("nothing has asked for these scripted answers: {unanswered}");
        }
    }
}

/// The host of a test has this address, whether it is real or not.
pub(crate) fn setup_url(provider: &str) -> String {
    format!("{}/extensions/{provider}/setup/", crate::real_host::URL_PREFIX)
}

/// A request to the set-up of a provider, and where its webhook is.
fn request<P: Provider>(method: &str) -> Request {
    let mut request = Request::new(method, setup_url(P::ID));
    request.webhook_url = format!("{}/extensions/{}/webhook/scripted-key/", crate::real_host::URL_PREFIX, P::ID);
    request
}

#[track_caller]
fn table(json: Value) -> State {
    let Value::Object(table) = json else { panic!("a JSON object is needed, like the operator's table") };
    table
}

fn pairs(given: &[(&str, &str)]) -> Vec<(String, String)> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
