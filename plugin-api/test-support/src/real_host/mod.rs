//! The same test through a real host and the real library: a host for each harness, with a
//! temporary folder and database.

mod browser;
mod form;
mod host_folder;
mod mock_server;
mod page;
mod urls;

use std::path::Path;

use browser::Browser;
use host_folder::HostFolder;
use jackfield_plugin::{Answer, Integration, Provider, Request, State};
use mock_server::MockServer;
use page::Page;
use serde_json::Value;
pub(crate) use urls::{setup_url, webhook_url};

use crate::{mocks::Mocks, outcome::OutcomeKind};

/// What people read instead of the error in the log.
const INTERNAL_ERROR: &str = "an internal error occurred";

/// A running host, and a person who sets up the provider in it.
pub(crate) struct RealHost {
    browser: Browser,
    folder: HostFolder,
    provider: &'static str,
    /// The authorization URL that the host's OAuth 2.0 step has redirected to.
    authorization_url: Option<String>,
    is_setup_running: bool,
    _mock_server: MockServer,
}

impl RealHost {
    #[track_caller]
    pub(crate) fn start<P: Provider>(program: &Path, options: &State, mocks: Mocks, now: u64) -> Self {
        let mock_server = MockServer::start(mocks);
        let mut folder = HostFolder::create::<P>(program, options, &mock_server.url(), now);
        folder.run(&["user", "create", host_folder::EMAIL, "--password-stdin"], host_folder::PASSWORD);
        folder.run(&["org", "create", "acme", "--name", "Acme", "--owner", host_folder::EMAIL], "");
        let mut browser = Browser::new(folder.serve());
        browser.log_in(host_folder::EMAIL, host_folder::PASSWORD);
        Self {
            browser,
            folder,
            provider: P::ID,
            authorization_url: None,
            is_setup_running: false,
            _mock_server: mock_server,
        }
    }

    pub(crate) fn set_clock(&self, now: u64) {
        self.folder.set_clock(now);
        self.folder.run(&["reload"], "");
    }

    /// The lines that the provider has logged.
    pub(crate) fn plugin_log(&self) -> Vec<String> {
        let lines = self.folder.log().into_iter().filter(|line| line["target"] == "jackfield::plugin");
        lines.filter_map(|line| line["message"].as_str().map(str::to_owned)).collect()
    }

    pub(crate) fn send(&mut self, request: &Request) -> OutcomeKind {
        if !std::mem::replace(&mut self.is_setup_running, true) {
            let start = format!("/organizations/acme/integrations/{}/setup/", self.provider);
            let response = self.browser.get(&start);
            assert_eq!(response.status, 302, "the setup does not start: {}", response.text);
        }
        let path = self.redirect_path(request).unwrap_or_else(|| urls::setup_path(self.provider));
        let mut response = match request.method.as_str() {
            "POST" => self.browser.post(&path, &request.form),
            _ => self.browser.get(&format!("{path}?{}", browser::encoded(&request.query))),
        };
        // After the authorization server's response, the host redirects to a URL without its
        // parameters.
        if response.status == 303 {
            response = self.browser.get(&urls::setup_path(self.provider));
        }
        let kind = self.read(&response);
        self.is_setup_running = match &kind {
            OutcomeKind::Answer(answer) => !matches!(answer, Answer::Error { .. }),
            kind => *kind == OutcomeKind::OAuth2,
        };
        kind
    }

    /// Redirects back from the authorization endpoint with this parameter and the state.
    #[track_caller]
    pub(crate) fn redirect_back(&mut self, parameter: &str) -> OutcomeKind {
        if self.authorization_url.is_none() {
            self.send(&Request::new("GET", ""));
        }
        let Some(url) = self.authorization_url.clone() else { panic!("this is no OAuth 2.0 step") };
        let state = browser::query(&url, "state").unwrap_or_default();
        let mut request = Request::new("GET", "");
        request.query = [parameter.split_once('=').unwrap_or((parameter, "")), ("state", &state)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        let kind = self.send(&request);
        if self.authorization_url.as_ref() == Some(&url) {
            self.authorization_url = None;
        }
        kind
    }

    /// Path of the redirect URI, for an answer of the authorization server.
    fn redirect_path(&self, request: &Request) -> Option<String> {
        request.query("state")?;
        let uri = browser::query(self.authorization_url.as_ref()?, "redirect_uri")?;
        Some(uri.strip_prefix(urls::URL_PREFIX)?.to_owned())
    }

    fn read(&mut self, response: &browser::Response) -> OutcomeKind {
        match page::read(response) {
            Page::Answer(answer) => OutcomeKind::Answer(answer),
            Page::Redirect(url) if is_authorization_url(&url, self.provider) => {
                self.authorization_url = Some(url);
                OutcomeKind::OAuth2
            }
            Page::Redirect(url) => OutcomeKind::Answer(Answer::redirect(url)),
            Page::Finished(data) if data.get("detail").is_none() => OutcomeKind::Built(self.integration(&data)),
            Page::Finished(data) => match data["detail"].as_str().unwrap_or_default() {
                INTERNAL_ERROR => OutcomeKind::Failed(self.last_failure()),
                detail => OutcomeKind::Answer(Answer::error(detail)),
            },
            Page::Home => panic!("the host does not go on with the setup: {}", self.folder.log_tail()),
            Page::Other => {
                panic!("the host answered {}: {}\n{}", response.status, response.text, self.folder.log_tail())
            }
        }
    }

    /// What the API shows of the integration that the dialog reports.
    fn integration(&mut self, reported: &Value) -> Integration {
        let id = reported["id"].as_str().unwrap_or_default();
        let response = self.browser.get(&format!("/api/0/organizations/acme/integrations/{id}/"));
        let json: Value = serde_json::from_str(&response.text).unwrap_or_default();
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        Integration::new(text("externalId")).name(text("name"))
    }

    /// Why the last step or build failed, according to the log.
    fn last_failure(&self) -> String {
        let is_failure = |line: &Value| {
            let message = line["message"].as_str().unwrap_or_default();
            ["a step failed", "the integration could not be built", "the integration could not be stored"]
                .contains(&message)
        };
        let failure = self.folder.log().into_iter().rfind(is_failure);
        failure.and_then(|line| line["error"].as_str().map(str::to_owned)).unwrap_or_else(|| self.folder.log_tail())
    }
}

/// Only the host's own step redirects with this setup as redirect URI.
fn is_authorization_url(url: &str, provider: &str) -> bool {
    browser::query(url, "redirect_uri").is_some_and(|uri| uri.starts_with(&setup_url(provider)))
        && browser::query(url, "response_type").as_deref() == Some("code")
}

/// What `jackfield config check` prints about wrong options.
#[track_caller]
pub(crate) fn diagnostics<P: Provider>(program: &Path, options: &State, now: u64) -> String {
    let folder = HostFolder::create::<P>(program, options, "http://127.0.0.1:1", now);
    let output = folder.run_failing(&["config", "check"]);
    let key = format!(": {}.", P::ID);
    let lines: Vec<&str> = output.lines().filter_map(|line| Some(line.split_once(&key)?.1)).collect();
    assert!(!lines.is_empty(), "the host prints nothing about the options: {output}");
    lines.join("\n")
}
