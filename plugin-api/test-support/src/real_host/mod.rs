//! The same test through a real host and the real library: a host of its own for each harness, with a throw-away folder and database.

mod browser;
mod folder;
mod form;
mod page;
mod stand_in;

use std::path::Path;

use browser::Browser;
use folder::Folder;
use jackfield_plugin::{Integration, Provider, Request, State};
use page::Page;
use serde_json::Value;
use stand_in::StandIn;

use crate::{outcome::Came, script::Script};

/// What the host says that it is called. It is reached where it listens.
pub(crate) const URL_PREFIX: &str = "http://jackfield.example";

/// What people read instead of what the log has.
const INTERNAL_ERROR: &str = "an internal error occurred";

/// A running host, and somebody who sets the provider up in it.
pub(crate) struct RealHost {
    // Before the folder, so that it has ended when its folder goes.
    browser: Browser,
    folder: Folder,
    provider: &'static str,
    /// Where the host's OAuth 2.0 step has sent the person.
    authorization: Option<String>,
    is_under_way: bool,
    _stand_in: StandIn,
}

impl RealHost {
    #[track_caller]
    pub(crate) fn start<P: Provider>(program: &Path, options: &State, script: Script, now: u64) -> Self {
        let stand_in = StandIn::start(script);
        let folder = Folder::make::<P>(program, options, &stand_in.url(), now);
        folder.run(&["user", "create", folder::EMAIL, "--password-stdin"], folder::PASSWORD);
        folder.run(&["org", "create", "acme", "--name", "Acme", "--owner", folder::EMAIL], "");
        let address = folder.serve();
        let mut browser = Browser::at(address);
        browser.log_in(folder::EMAIL, folder::PASSWORD);
        Self { browser, folder, provider: P::ID, authorization: None, is_under_way: false, _stand_in: stand_in }
    }

    pub(crate) fn set_clock(&self, now: u64) {
        self.folder.set_clock(now);
        self.folder.run(&["reload"], "");
    }

    /// Lines that the provider has logged.
    pub(crate) fn said(&self) -> Vec<String> {
        let said = self.folder.log().into_iter().filter(|line| line["target"] == "jackfield::plugin");
        said.filter_map(|line| line["message"].as_str().map(str::to_owned)).collect()
    }

    pub(crate) fn visit(&mut self, request: &Request) -> Came {
        if !std::mem::replace(&mut self.is_under_way, true) {
            let start = format!("/organizations/acme/integrations/{}/setup/", self.provider);
            let answer = self.browser.get(&start);
            assert_eq!(answer.status, 302, "the set-up does not start: {}", answer.text);
        }
        let path = format!("/extensions/{}/setup/", self.provider);
        let mut answer = match request.method.as_str() {
            "POST" => self.browser.post(&path, &request.form),
            _ => self.browser.get(&format!("{path}?{}", browser::encoded(&request.query))),
        };
        // A step's page after an authorization server's answer is shown without that answer in its URL.
        if answer.status == 303 {
            answer = self.browser.get(&path);
        }
        let came = self.read(&answer);
        self.is_under_way = matches!(came, Came::Answer(_) | Came::OAuth2) && !is_error(&came);
        came
    }

    /// Comes back from the authorization endpoint with what it answers, and the state it was given.
    #[track_caller]
    pub(crate) fn call_back(&mut self, answer: &str) -> Came {
        if self.authorization.is_none() {
            self.visit(&Request::new("GET", ""));
        }
        let Some(url) = self.authorization.take() else { panic!("this is no OAuth 2.0 step") };
        let state = browser::query(&url, "state").unwrap_or_default();
        let mut request = Request::new("GET", "");
        request.query = [answer.split_once('=').unwrap_or((answer, "")), ("state", &state)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        self.visit(&request)
    }

    fn read(&mut self, answer: &browser::Answer) -> Came {
        match page::read(answer) {
            Page::Answer(answer) => Came::Answer(answer),
            Page::Redirect(url) if is_authorization(&url, self.provider) => {
                self.authorization = Some(url);
                Came::OAuth2
            }
            Page::Redirect(url) => Came::Answer(jackfield_plugin::Answer::redirect(url)),
            Page::Ended(data) if data.get("detail").is_none() => Came::Built(self.installed(&data)),
            Page::Ended(data) => match data["detail"].as_str().unwrap_or_default() {
                INTERNAL_ERROR => Came::Failed(self.reason()),
                detail => Came::Answer(jackfield_plugin::Answer::error(detail)),
            },
            Page::Refused => panic!("the host does not go on with the set-up: {}", self.folder.last_words()),
            Page::Other => panic!("the host answered {}: {}\n{}", answer.status, answer.text, self.folder.last_words()),
        }
    }

    /// What the API shows of an integration that the dialog has told of.
    fn installed(&mut self, told: &Value) -> Integration {
        let id = told["id"].as_str().unwrap_or_default();
        let answer = self.browser.get(&format!("/api/0/organizations/acme/integrations/{id}/"));
        let shown: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        let text = |key: &str| shown[key].as_str().unwrap_or_default().to_owned();
        Integration::new(text("externalId")).name(text("name"))
    }

    /// Why the last step or build failed, by the log.
    fn reason(&self) -> String {
        let is_failure = |line: &Value| {
            let message = line["message"].as_str().unwrap_or_default();
            ["a step failed", "the integration could not be built", "the integration could not be stored"]
                .contains(&message)
        };
        let failure = self.folder.log().into_iter().rfind(is_failure);
        failure.and_then(|line| line["error"].as_str().map(str::to_owned)).unwrap_or_else(|| self.folder.last_words())
    }
}

fn is_error(came: &Came) -> bool {
    matches!(came, Came::Answer(jackfield_plugin::Answer::Error { .. }))
}

/// Only the host's own step sends a state of 256 bits together with this set-up as redirect URI.
fn is_authorization(url: &str, provider: &str) -> bool {
    let setup = crate::harness::setup_url(provider);
    browser::query(url, "redirect_uri") == Some(setup)
        && browser::query(url, "response_type").as_deref() == Some("code")
}

/// What `jackfield config check` says of options that do not fit.
#[track_caller]
pub(crate) fn diagnostics<P: Provider>(program: &Path, options: &State) -> String {
    let folder = Folder::make::<P>(program, options, "http://127.0.0.1:1", crate::NOW);
    let said = folder.refused(&["config", "check"]);
    let key = format!(": {}.", P::ID);
    let told: Vec<&str> = said.lines().filter_map(|line| Some(line.split_once(&key)?.1)).collect();
    assert!(!told.is_empty(), "the host says nothing of the options: {said}");
    told.join("\n")
}
