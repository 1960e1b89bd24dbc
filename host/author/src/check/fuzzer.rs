//! Invents what a browser, a service or an operator might send, and much that none of them would.

use fastrand::Rng;
use jackfield_config::names_a_secret;
use jackfield_plugin_abi::envelope::{
    Answer, Grant, HttpResponse, Input, NamedProvider, Pairs, Question, Request, RevokeRequest, State, Step, StepKind,
    TaskResult, WebhookRequest,
};
use serde_json::{Value, json};

use super::{host_answers::HostAnswers, observation::Observation};

/// Invents questions. It uses the names and states that it has seen in the plugin's answers.
pub(super) struct Fuzzer {
    random: Rng,
    options: State,
    /// Names of parameters and form fields worth trying.
    names: Vec<String>,
    /// States after a step.
    states: Vec<State>,
    /// Whether the requests of the present question succeed. Some code runs only after many of
    /// them.
    answers_well: bool,
}

const SETUP_URL: &str = "https://jackfield.example/extensions/plugin/setup/";
const WEBHOOK_URL: &str = "https://jackfield.example/extensions/checked/webhook/of-nobody/";

/// Most names and most states that it remembers.
const MAX_LEARNT: usize = 64;

/// Parameters of callbacks.
const NAMES: [&str; 8] = ["code", "state", "error", "error_description", "name", "url", "setup_action", "data"];

const VALUES: [&str; 14] = [
    "",
    " ",
    "a",
    "0",
    "-1",
    "99999999999999999999",
    "https://example.com/a?b=c#d",
    "javascript:alert(1)",
    "</script><script>alert(1)</script>",
    "\"'&<>",
    "\u{0}\u{1}\u{7f}",
    "\u{202e}\u{2028}\u{feff}é😀",
    "{\"a\": [null, true]}",
    "../../../etc/passwd",
];

impl Fuzzer {
    pub(super) fn new(seed: u64, named: &NamedProvider, table: &State) -> Self {
        let mut random = Rng::with_seed(seed);
        let invented = named.options.iter().map(|name| (name.clone(), canary(&mut random).into()));
        let options = table.clone().into_iter().chain(invented).collect();
        let names = NAMES.map(str::to_owned).to_vec();
        Self { random, options, names, states: Vec::new(), answers_well: false }
    }

    /// A recognizable text for each option, over the table that declares the provider, if one does.
    pub(super) const fn options(&self) -> &State {
        &self.options
    }

    /// Leaves an option out. A nested option takes its parent with it.
    pub(super) fn leave_out(&mut self, option: &str) {
        let key = option.split(['.', '[']).next().unwrap_or(option);
        self.options.remove(key);
    }

    /// The secret options with their values, which must not be seen anywhere.
    pub(super) fn canaries(&self) -> Vec<(&str, &str)> {
        let secret = self.options.iter().filter(|(name, _)| names_a_secret(name));
        secret.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect()
    }

    /// A question to a step; without a step, one of those after the steps.
    pub(super) fn question(&mut self, step: Option<&Step>) -> Question {
        let state = self.state();
        self.answers_well = self.random.u8(0..4) == 0;
        match step {
            Some(Step { name, kind: StepKind::OAuth2FromState }) => Question::OAuth2 { step: name.clone(), state },
            Some(Step { name, .. }) => Question::View { view: name.clone(), request: self.request(), state },
            None => match self.random.u8(0..7) {
                0 => Question::Refresh { grant: Box::new(self.grant()), metadata: state },
                1 => {
                    let (id, grants) = (self.text(), vec![self.grant()]);
                    Question::Revoke { request: RevokeRequest::uninstall(id, state, grants) }
                }
                2 => Question::Webhook { request: self.call(), state },
                3 => Question::Event { request: self.call() },
                _ => Question::BuildIntegration { state },
            },
        }
    }

    /// A call of a webhook.
    fn call(&mut self) -> WebhookRequest {
        let method = *self.random.choice(&["GET", "POST", "PUT"]).unwrap_or(&"POST");
        let body = if self.random.bool() { self.value(3).to_string() } else { self.text() };
        let mut call = WebhookRequest::new(method, body);
        (call.query, call.headers) = (self.pairs(), self.pairs());
        call
    }

    fn request(&mut self) -> Request {
        let method = if self.random.bool() { "GET" } else { "POST" };
        let mut request = Request::new(method, SETUP_URL);
        request.webhook_url = WEBHOOK_URL.to_owned();
        request.query = self.pairs();
        if method == "POST" {
            request.form = self.pairs();
        }
        request
    }

    fn pairs(&mut self) -> Pairs {
        (0..self.random.usize(0..6)).map(|_| (self.name(), self.text())).collect()
    }

    fn name(&mut self) -> String {
        self.random.choice(&self.names).cloned().unwrap_or_default()
    }

    fn text(&mut self) -> String {
        match self.random.u8(0..10) {
            0 => "x".repeat(self.random.usize(0..20_000)),
            1 => (0..self.random.usize(0..40)).map(|_| self.random.char(..)).collect(),
            _ => self.random.choice(VALUES).unwrap_or_default().to_owned(),
        }
    }

    fn state(&mut self) -> State {
        match self.random.u8(0..4) {
            0 => State::new(),
            1 | 2 if !self.states.is_empty() => self.random.choice(&self.states).cloned().unwrap_or_default(),
            _ => {
                let mut state: State = (0..self.random.usize(0..5)).map(|_| (self.name(), self.value(3))).collect();
                if self.random.bool() {
                    state.insert("data".to_owned(), self.token_answer(2));
                }
                state
            }
        }
    }

    /// A token response.
    fn token_answer(&mut self, depth: u8) -> Value {
        json!({"ok": self.random.bool(), "access_token": self.text(), "scope": self.text(), "id": self.value(0),
            "team": self.value(depth), "authed_user": self.value(depth), "expires_in": self.value(0)})
    }

    fn value(&mut self, depth: u8) -> Value {
        match self.random.u8(0..if depth == 0 { 5 } else { 8 }) {
            0 => Value::Null,
            1 => self.random.bool().into(),
            2 => self.random.i64(..).into(),
            3 => self.random.f64().into(),
            4 => self.text().into(),
            5 => (0..self.random.usize(0..4)).map(|_| self.value(depth - 1)).collect(),
            6 => Value::Object((0..self.random.usize(0..4)).map(|_| (self.name(), self.value(depth - 1))).collect()),
            _ => self.token_answer(depth - 1),
        }
    }

    fn grant(&mut self) -> Grant {
        let answer = self.token_answer(2);
        Grant::from_token_response(self.name(), &answer).unwrap_or_else(|| Grant::new(self.name(), self.text()))
    }

    /// Remembers the form fields that the plugin has shown, and the state after its answer.
    pub(super) fn learn(&mut self, observation: &Observation) {
        let Ok(TaskResult::Answered { answer, state }) = &observation.result else { return };
        if self.states.len() < MAX_LEARNT && !state.is_empty() {
            self.states.push(state.clone());
        }
        let seen: Vec<String> = match answer {
            Answer::Html { html } | Answer::Wait { html } => {
                html.split("name=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
            }
            Answer::Form { form } => form.fields.iter().map(|field| field.name.clone()).collect(),
            _ => Vec::new(),
        };
        for name in seen {
            if self.names.len() < MAX_LEARNT && !self.names.contains(&name) {
                self.names.push(name);
            }
        }
    }
}

impl HostAnswers for Fuzzer {
    fn input(&mut self) -> Input {
        if self.answers_well {
            return Input::Response { response: HttpResponse::new(200, self.value(3).to_string()) };
        }
        let body = match self.random.u8(0..5) {
            0 => return Input::Failed { message: "no complete answer within 10s".to_owned() },
            1 => (0..self.random.usize(0..200)).map(|_| self.random.u8(..)).collect(),
            _ => self.value(3).to_string().into_bytes(),
        };
        let status = *self.random.choice(&[200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503]).unwrap_or(&200);
        Input::Response { response: HttpResponse::new(status, body).with_header("content-type", "application/json") }
    }

    fn token(&mut self) -> Input {
        match self.random.u8(0..3) {
            0 => Input::Failed { message: "the integration needs its person to authenticate again".to_owned() },
            _ => Input::Token { grant: Box::new(self.grant()) },
        }
    }
}

fn canary(random: &mut Rng) -> String {
    format!("canary-{:016x}", random.u64(..))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fuzzer(seed: u64) -> Fuzzer {
        let options = vec!["client-id".to_owned(), "client-secret".to_owned(), "port".to_owned()];
        Fuzzer::new(seed, &NamedProvider { options, ..NamedProvider::default() }, &State::new())
    }

    #[test]
    fn the_same_seed_invents_the_same_and_another_something_else() {
        let questions = |seed| {
            let mut fuzzer = fuzzer(seed);
            (0..20)
                .map(|_| {
                    serde_json::to_string(&fuzzer.question(Some(&Step { name: "a".into(), kind: StepKind::View })))
                        .expect("JSON")
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(questions(7), questions(7));
        assert_ne!(questions(7), questions(8));
    }

    #[test]
    fn only_options_that_name_a_secret_must_not_be_seen_again() {
        let mut fuzzer = fuzzer(1);
        let names: Vec<String> = fuzzer.canaries().into_iter().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["client-secret"]);
        fuzzer.leave_out("client-secret");
        fuzzer.leave_out("port.deep[0]");
        assert!(fuzzer.canaries().is_empty() && fuzzer.options().len() == 1);
    }
}
