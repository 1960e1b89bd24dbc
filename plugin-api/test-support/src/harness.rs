//! What a test holds: one provider, one setup, and mocks of the world outside.

use std::{marker::PhantomData, path::PathBuf, time::Duration};

use jackfield_plugin::{Api, Error, HttpRequest, HttpResponse, Integration, OAuth2, Provider, Request, Result, State};
use jackfield_plugin_abi::envelope::{Answer, StepKind};
use serde_json::Value;

use crate::{
    in_process::{InProcess, fault_text},
    mocks::{MockReply, Mocks},
    outcome::{Outcome, OutcomeKind},
    real_host::{RealHost, diagnostics, setup_url, webhook_url},
};

/// The time of a harness, in seconds since 1970-01-01 UTC, unless a test
/// [sets](Harness::with_unix_time) it: 2023-11-14T22:13:20Z.
pub const NOW: u64 = 1_700_000_000;

/// The environment variable that names a real host; see the
/// [front page](crate#through-a-real-host).
const HOST_VARIABLE: &str = "JACKFIELD_PLUGIN_TEST_HOST";

/// One provider with one setup, as a host would run it. A setup ends with success or an error; the
/// next request starts another.
///
/// ```
/// # use jackfield_plugin::*;
/// # use jackfield_plugin_test::Harness;
/// # struct Acme;
/// # impl Provider for Acme {
/// #     type Options = NoOptions;
/// #     const ID: &'static str = "acme";
/// #     const NAME: &'static str = "Acme";
/// #     fn new(_: NoOptions) -> Self { Acme }
/// #     fn pipeline(&self) -> Pipeline {
/// #         Pipeline::new().oauth2(OAuth2::new("https://a.example/", "https://t.example/").client("id", "s"))
/// #     }
/// #     async fn build_integration(&self, _: State, _: Host) -> Result<Integration> {
/// #         Ok(Integration::new("A1"))
/// #     }
/// # }
/// let mut acme = Harness::<Acme>::new(json!({}));
/// acme.get().assert_oauth2();
/// acme.authorize(json!({"access_token": "t0ken"})).assert_integration(&Integration::new("A1"));
/// ```
pub struct Harness<P> {
    options: State,
    pub(crate) local: InProcess,
    mocks: Mocks,
    /// The state that a setup starts with.
    initial_state: State,
    /// The program of the real host to use, and that host once it runs.
    host_program: Option<PathBuf>,
    pub(crate) real_host: Option<RealHost>,
    visits: usize,
    is_finished: bool,
    provider: PhantomData<P>,
}

impl<P: Provider> Harness<P> {
    /// Creates the provider from an operator's options.
    ///
    /// # Panics
    /// If the options are wrong, with the diagnostics that the operator reads.
    #[must_use]
    #[track_caller]
    pub fn new(options: Value) -> Self {
        let options = object(options);
        let mocks = Mocks::default();
        let local = InProcess::create::<P>(&options, mocks.clone(), NOW)
            .unwrap_or_else(|fault| panic!("the provider cannot be created: {}", fault_text(&fault)));
        Self {
            options,
            local,
            mocks,
            initial_state: State::new(),
            host_program: std::env::var_os(HOST_VARIABLE).map(PathBuf::from),
            real_host: None,
            visits: 0,
            is_finished: false,
            provider: PhantomData,
        }
    }

    /// The diagnostics that an operator reads about wrong options, one per line.
    ///
    /// # Panics
    /// If the options are right.
    #[must_use]
    #[track_caller]
    pub fn diagnostics(options: Value) -> String {
        let options = object(options);
        if let Some(program) = std::env::var_os(HOST_VARIABLE) {
            return diagnostics::<P>(&PathBuf::from(program), &options, NOW);
        }
        match InProcess::create::<P>(&options, Mocks::default(), NOW) {
            Ok(_) => panic!("the options fit"),
            Err(fault) => fault_text(&fault),
        }
    }

    /// Mocks the response to one request to this URL. A URL without a query matches any query.
    /// Several mocks of one URL are used in order.
    ///
    /// A request that no mock matches fails the test, and so does an unused mock at its end.
    #[must_use]
    pub fn mock(self, url: impl Into<String>, response: HttpResponse) -> Self {
        self.mocks.add(url.into(), MockReply::Response(response));
        self
    }

    /// Mocks a failure of one request to this URL, with a message such as `connection refused`.
    #[must_use]
    pub fn mock_error(self, url: impl Into<String>, message: impl Into<String>) -> Self {
        self.mocks.add(url.into(), MockReply::Error(message.into()));
        self
    }

    /// Sets the clock, in seconds since 1970-01-01 UTC. The default is [`NOW`]. It stands still.
    #[must_use]
    pub fn with_unix_time(mut self, seconds: u64) -> Self {
        self.local.now = seconds;
        self
    }

    /// Advances the clock, also in the middle of a setup.
    ///
    /// # Panics
    /// If the real host does not reload.
    #[track_caller]
    pub fn advance_time(&mut self, duration: Duration) {
        self.local.now += duration.as_secs();
        if let Some(host) = &self.real_host {
            host.set_clock(self.local.now);
        }
    }

    /// Binds a value, as an earlier step would. A real host encrypts the state, so the test stays
    /// in process.
    #[must_use]
    pub fn with_state(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        let (key, value) = (key.into(), value.into());
        self.local.state.insert(key.clone(), value.clone());
        self.initial_state.insert(key, value);
        self.force_in_process("with_state");
        self
    }

    /// Goes through the real host of this program, whatever the environment says; see the
    /// [front page](crate#through-a-real-host).
    #[must_use]
    pub fn with_real_host(mut self, program: impl Into<PathBuf>) -> Self {
        self.host_program = Some(program.into());
        self
    }

    /// Stays in process, whatever the environment says.
    #[must_use]
    pub fn in_process(mut self) -> Self {
        self.force_in_process("in_process");
        self
    }

    pub(crate) fn force_in_process(&mut self, method: &str) {
        if self.host_program.take().is_some() {
            eprintln!("note: a test that uses `{method}` runs in process, whatever {HOST_VARIABLE} says");
        }
    }

    /// Sends a GET to the current step.
    #[track_caller]
    pub fn get(&mut self) -> Outcome {
        self.get_with_query(&[])
    }

    /// Sends a GET with query parameters to the current step.
    #[track_caller]
    pub fn get_with_query(&mut self, query: &[(&str, &str)]) -> Outcome {
        let mut request = request::<P>("GET");
        request.query = pairs(query);
        self.send(&request)
    }

    /// Posts a form to the current step.
    #[track_caller]
    pub fn post(&mut self, form: &[(&str, &str)]) -> Outcome {
        let mut request = request::<P>("POST");
        request.form = pairs(form);
        self.send(&request)
    }

    /// The URL of the setup, as
    /// [`Step::setup_url`](jackfield_plugin::Step::setup_url) returns it.
    #[must_use]
    pub fn setup_url(&self) -> String {
        setup_url(P::ID)
    }

    /// Goes through the host's OAuth 2.0 step as a person who authorizes the client. The token
    /// endpoint sends this token response, and the following steps run.
    ///
    /// # Panics
    /// If the current step is another.
    #[track_caller]
    pub fn authorize(&mut self, token_response: Value) -> Outcome {
        let place = self.start_visit("the person authorizes");
        let kind = match self.real_host.as_mut() {
            Some(host) => {
                let response = HttpResponse::new(200, token_response.to_string());
                self.mocks.set_token_response(response.with_header("content-type", "application/json"));
                host.redirect_back("code=scripted-code")
            }
            None => {
                self.expect_oauth2_step(&place);
                match self.local.finish_oauth2(object(token_response)) {
                    // The following steps do not see what the authorization server sent.
                    Ok(()) => self.local.send(&request::<P>("GET")),
                    Err(fault) => OutcomeKind::Failed(fault_text(&fault)),
                }
            }
        };
        self.finish_visit(place, kind)
    }

    /// Goes through the host's OAuth 2.0 step as a person who denies the request. They read
    /// `access_denied` (RFC 6749 section 4.1.2.1).
    ///
    /// # Panics
    /// If the current step is another.
    #[track_caller]
    pub fn deny(&mut self) -> Outcome {
        let place = self.start_visit("the person denies");
        let kind = match self.real_host.as_mut() {
            Some(host) => host.redirect_back("error=access_denied"),
            None => {
                self.expect_oauth2_step(&place);
                OutcomeKind::Answer(Answer::error("access_denied"))
            }
        };
        self.finish_visit(place, kind)
    }

    #[track_caller]
    fn expect_oauth2_step(&self, place: &str) {
        let kind = self.local.current_kind();
        assert!(kind.is_some_and(|kind| *kind != StepKind::View), "{place}: this is no OAuth 2.0 step");
    }

    #[track_caller]
    fn send(&mut self, request: &Request) -> Outcome {
        let values = request.form.iter().chain(&request.query).map(|(name, value)| format!(" {name}={value}"));
        let place = self.start_visit(&format!("{}{}", request.method, values.collect::<String>()));
        let kind = match self.real_host.as_mut() {
            Some(host) => host.send(request),
            None => self.local.send(request),
        };
        self.finish_visit(place, kind)
    }

    /// Counts the visit, starts a host and a setup if necessary, and returns the place for
    /// messages.
    #[track_caller]
    fn start_visit(&mut self, action: &str) -> String {
        let missing = self.missing_options().join(", ");
        assert!(
            self.is_configured(),
            "the provider is not offered to people: it is not configured; missing: {missing}"
        );
        self.visits += 1;
        if std::mem::take(&mut self.is_finished) {
            self.local.start_setup(self.initial_state.clone());
        }
        if self.real_host.is_none()
            && let Some(program) = &self.host_program
        {
            let host = RealHost::start::<P>(program, &self.options, self.mocks.clone(), self.local.now);
            self.real_host = Some(host);
        }
        match self.real_host {
            Some(_) => format!("visit {} ({action})", self.visits),
            None => format!("visit {} ({action}), step `{}`", self.visits, self.local.step_name()),
        }
    }

    #[track_caller]
    fn finish_visit(&mut self, place: String, kind: OutcomeKind) -> Outcome {
        self.check_mocks(&place);
        self.is_finished =
            matches!(kind, OutcomeKind::Built(_) | OutcomeKind::Failed(_) | OutcomeKind::Answer(Answer::Error { .. }));
        Outcome { place, kind, is_partial: self.real_host.is_some() }
    }

    /// Builds the integration from the [state](Self::with_state), without any step. Always in
    /// process.
    ///
    /// # Errors
    /// The provider's error.
    ///
    /// # Panics
    /// If the provider sends a request that no mock matches.
    #[track_caller]
    pub fn build_integration(&mut self) -> Result<Integration> {
        self.force_in_process("build_integration");
        let integration = self.local.build();
        self.check_mocks("the build");
        integration.map_err(|fault| Error::new(fault_text(&fault)))
    }

    /// Fails the test if the provider has sent a request that no mock matches.
    #[track_caller]
    pub(crate) fn check_mocks(&self, place: &str) {
        if let Some(unmatched) = self.mocks.take_unmatched() {
            panic!("{place}: {unmatched}");
        }
    }

    /// The authorization server of the next OAuth 2.0 step. If it depends on the state, it uses
    /// what is bound in process, so the test [binds](Self::with_state) what it needs.
    ///
    /// # Panics
    /// If there is no such step, or the provider fails.
    #[must_use]
    #[track_caller]
    pub fn oauth2(&mut self) -> OAuth2 {
        let oauth2 = self.local.next_oauth2().expect("the pipeline has an OAuth 2.0 step");
        oauth2.unwrap_or_else(|fault| panic!("there is no authorization server: {}", fault_text(&fault)))
    }

    /// Options that the provider needs and that are not set.
    #[must_use]
    pub fn missing_options(&self) -> &[String] {
        &self.local.description.missing
    }

    /// Where programs call the service's API, as [`Provider::api`] returns it.
    ///
    /// ```
    /// # use jackfield_plugin::*;
    /// # use jackfield_plugin_test::Harness;
    /// # struct Acme;
    /// # impl Provider for Acme {
    /// #     type Options = NoOptions;
    /// #     const ID: &'static str = "acme";
    /// #     const NAME: &'static str = "Acme";
    /// #     fn new(_: NoOptions) -> Self { Acme }
    /// #     fn api(&self) -> Option<Api> { Some(Api::new("https://api.acme.example/")) }
    /// #     fn pipeline(&self) -> Pipeline { Pipeline::new() }
    /// #   async fn build_integration(&self, _: State, _: Host) -> Result<Integration> { panic!() }
    /// # }
    /// let acme = Harness::<Acme>::new(serde_json::json!({}));
    /// assert_eq!(acme.api(), Some(&Api::new("https://api.acme.example/")));
    /// ```
    #[must_use]
    pub const fn api(&self) -> Option<&Api> {
        self.local.description.api.as_ref()
    }

    /// Whether a host offers the provider to people.
    #[must_use]
    pub const fn is_configured(&self) -> bool {
        self.local.description.is_configured
    }

    /// The requests that the provider has sent and a mock matched. Those of the host's own OAuth
    /// 2.0 steps are not among them.
    #[must_use]
    pub fn requests(&self) -> Vec<HttpRequest> {
        self.mocks.sent()
    }

    /// Asserts that the provider has sent these requests and no others, in this order: method, URL,
    /// headers in any order, body.
    ///
    /// # Panics
    /// If not, with the difference.
    #[track_caller]
    pub fn assert_requests(&self, expected: &[HttpRequest]) {
        if let Err(difference) = self.mocks.check_sent(expected) {
            panic!("other requests were sent {difference}");
        }
    }

    /// The lines that the provider has logged.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        match &self.real_host {
            Some(host) => host.plugin_log(),
            None => self.local.log.iter().map(|line| line.message.clone()).collect(),
        }
    }
}

impl<P> Drop for Harness<P> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return; // The test has failed already.
        }
        if let Some(unused) = self.mocks.unused() {
            panic!("these mocks got no request: {unused}");
        }
    }
}

/// A request to the setup of a provider.
fn request<P: Provider>(method: &str) -> Request {
    let mut request = Request::new(method, setup_url(P::ID));
    request.webhook_url = webhook_url(P::ID);
    request
}

#[track_caller]
fn object(json: Value) -> State {
    let Value::Object(object) = json else { panic!("a JSON object is needed, like the operator's table") };
    object
}

fn pairs(values: &[(&str, &str)]) -> Vec<(String, String)> {
    values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
