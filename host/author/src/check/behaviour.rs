//! Judges what was observed of a provider.

use std::{collections::BTreeMap, time::Duration};

use jackfield_loader::{PluginError, TransportError};
use jackfield_plugin_abi::envelope::{Answer, FaultKind, Question, TaskResult, WebhookResponse};

use super::{
    observation::Observation,
    problem::{Finding, Problem},
};

/// How a provider behaved.
#[derive(Debug, Default)]
pub struct Behaviour {
    /// Questions it was asked.
    pub questions: u32,
    /// How often it gave each kind of answer.
    pub answers: BTreeMap<&'static str, u32>,
    /// Its slowest call.
    pub slowest: Duration,
    /// Its largest reply, in bytes.
    pub largest: usize,
    /// What the author has to fix, each kind once for each step.
    pub findings: Vec<Finding>,
    /// How often its worker ended.
    ends: u32,
    deadlines: u32,
}

/// A plugin does no I/O of its own, so that it takes milliseconds, even on a busy machine.
const SLOW: Duration = Duration::from_secs(1);
/// In bytes. What is larger than a host takes is a problem of its own.
const LARGE: usize = 1 << 20;
/// A question of so many bytes is nothing that makes an answer large.
const LITTLE: usize = 16 << 10;
/// After this many the check stops: each end costs the start of a worker, and some a whole
/// deadline.
const MAX_ENDS: u32 = 20;
const MAX_DEADLINES: u32 = 1;

impl Behaviour {
    /// Adds a problem that no question has shown.
    pub(super) fn add(&mut self, problem: Problem, place: &str) {
        self.add_finding(problem, place, String::new());
    }

    /// Adds that the provider cannot be created with texts for its options.
    pub(super) fn add_create_error(&mut self, reason: &'static str, message: &str) {
        // A fault may be its options' own rules, which rightly refuse an invented text.
        if reason != "fault" {
            self.add(Problem::Ended { reason, message: message.to_owned() }, "making it");
        }
    }

    /// Whether more questions would only show more of the same.
    pub(super) fn is_hopeless(&self) -> bool {
        self.ends >= MAX_ENDS || self.deadlines >= MAX_DEADLINES
    }

    pub(super) fn observe(&mut self, step: Option<&str>, observation: &Observation, canaries: Vec<(&str, &str)>) {
        self.questions += 1;
        *self.answers.entry(kind_of(&observation.result)).or_default() += 1;
        self.slowest = self.slowest.max(observation.slowest);
        self.largest = self.largest.max(observation.largest);
        self.observe_ordinary(step, observation, canaries, Vec::new());
    }

    /// The same of a question that the plugin may expect, and that is not counted. `further` is
    /// what is wrong with what it has brought.
    pub(super) fn observe_ordinary(
        &mut self,
        step: Option<&str>,
        observation: &Observation,
        canaries: Vec<(&str, &str)>,
        further: Vec<Problem>,
    ) {
        if let Err(PluginError::Transport(error)) = &observation.result {
            self.count_end(error);
        }
        for problem in problems(observation, canaries).into_iter().chain(further) {
            self.add_finding(problem, &place(step, observation), in_one_line(&observation.question));
        }
    }

    /// Adds that it had not stopped with its answer.
    pub(super) fn add_unasked(&mut self, step: Option<&str>, observation: &Observation, error: &TransportError) {
        self.count_end(error);
        let problem = Problem::Unasked(error.to_string());
        self.add_finding(problem, &place(step, observation), in_one_line(&observation.question));
    }

    fn count_end(&mut self, error: &TransportError) {
        self.ends += 1;
        self.deadlines += u32::from(matches!(error, TransportError::Deadline(_)));
    }

    fn add_finding(&mut self, problem: Problem, place: &str, question: String) {
        let is_known = self.findings.iter().any(|known| known.place == place && known.problem.is_like(&problem));
        if !is_known {
            self.findings.push(Finding { problem, place: place.to_owned(), question });
        }
    }
}

/// The kind of an answer, or the reason why there is none.
fn kind_of(result: &Result<TaskResult, PluginError>) -> &'static str {
    match result {
        Ok(TaskResult::Answered { answer, .. }) => match answer {
            Answer::Html { .. } => "html",
            Answer::Wait { .. } => "wait",
            Answer::Form { .. } => "form",
            Answer::Redirect { .. } => "redirect",
            Answer::Next => "next",
            Answer::Error { .. } => "error",
            Answer::Unknown => "unknown",
        },
        Ok(TaskResult::Built { .. }) => "integration",
        Ok(TaskResult::OAuth2 { .. }) => "oauth2",
        Ok(TaskResult::WebhookHandled { .. }) => "webhook",
        Ok(TaskResult::EventHandled { .. }) => "event",
        Ok(TaskResult::Refreshed { .. }) => "refresh",
        Ok(TaskResult::Revoked { .. }) => "revocation",
        Ok(TaskResult::AwaitsResponse { .. } | TaskResult::AwaitsToken { .. } | TaskResult::Unknown) => "unknown",
        Err(error) => error.reason(),
    }
}

/// Where something was observed, in words.
fn place(step: Option<&str>, observation: &Observation) -> String {
    step.map_or_else(|| place_without_step(&observation.question).to_owned(), |step| format!("the step `{step}`"))
}

/// The place of a question that is not to a step.
const fn place_without_step(question: &Question) -> &'static str {
    match question {
        Question::Webhook { .. } => "a call to its webhook",
        Question::Event { .. } => "a call to its events URL",
        Question::Refresh { .. } => "a refresh",
        Question::Revoke { .. } => "a revocation",
        _ => "building the integration",
    }
}

fn is_optional(question: &Question) -> bool {
    use Question::{Event, Refresh, Revoke, Webhook};
    matches!(question, Refresh { .. } | Revoke { .. } | Webhook { .. } | Event { .. })
}

fn problems(observation: &Observation, canaries: Vec<(&str, &str)>) -> Vec<Problem> {
    let mut problems = Vec::new();
    match &observation.result {
        // The author's own error is an answer: the setup ends, and the log says why.
        Err(PluginError::Fault(fault)) if fault.kind == FaultKind::Failed => {}
        // The plugin does not know the question, or has no such thing: the host does the default.
        Err(PluginError::Fault(fault))
            if fault.kind == FaultKind::Unsupported && is_optional(&observation.question) => {}
        Err(error) if observation.out_of_bounds.is_none() => {
            problems.push(Problem::Ended { reason: error.reason(), message: error.to_string() });
        }
        _ => {}
    }
    // What it was given much of, it may hand on.
    if observation.sent <= LITTLE {
        problems.extend(observation.out_of_bounds.clone().map(Problem::Limit));
    }
    if observation.slowest > SLOW {
        problems.push(Problem::Slow(observation.slowest));
    }
    if observation.largest > LARGE {
        problems.push(Problem::Large(observation.largest));
    }
    for (place, text) in seen_by_others(observation) {
        let leaked = canaries.iter().filter(|(_, value)| text.contains(value));
        problems.extend(leaked.map(|(option, _)| Problem::Leak { option: (*option).to_owned(), place }));
    }
    problems
}

/// Texts that people or logs show, each with its place.
fn seen_by_others(observation: &Observation) -> Vec<(&'static str, String)> {
    let mut seen: Vec<(&'static str, String)> =
        observation.log.iter().map(|line| ("a line of the log", line.message.clone())).collect();
    match &observation.result {
        Ok(TaskResult::Answered { answer, .. }) => match answer {
            Answer::Html { html } | Answer::Wait { html } => seen.push(("a page", html.clone())),
            Answer::Form { form } => seen.push(("a form", serde_json::to_string(form).unwrap_or_default())),
            Answer::Error { message } => seen.push(("a message to the person", message.clone())),
            Answer::Redirect { url } => seen.push(("a redirect", url.clone())),
            Answer::Next | Answer::Unknown => {}
        },
        Ok(TaskResult::Built { integration }) => {
            let shown = [Some(&integration.external_id), integration.name.as_ref()];
            seen.extend(shown.into_iter().flatten().map(|text| ("the integration's id or name", text.clone())));
        }
        Ok(TaskResult::OAuth2 { oauth2 }) => seen.push(("the authorization endpoint", oauth2.authorize_url.clone())),
        Ok(TaskResult::WebhookHandled { response: answer }) => seen.push(("the answer to a call", in_text(answer))),
        Ok(TaskResult::EventHandled { response }) => {
            seen.push(("the answer to a call", in_text(&response.response)));
            seen.extend(response.events.iter().map(|event| ("the id of an event", event.id.clone())));
        }
        Err(PluginError::Fault(fault)) => seen.push(("an error, which the log shows", fault.message.clone())),
        _ => {}
    }
    let urls = observation.requests.iter().filter_map(|request| {
        let request: serde_json::Value = serde_json::from_str(request).ok()?;
        Some(("the URL of a request", request["url"].as_str()?.to_owned()))
    });
    seen.extend(urls);
    seen
}

/// What the caller of a webhook reads.
fn in_text(answer: &WebhookResponse) -> String {
    format!("{} {}", answer.content_type, String::from_utf8_lossy(&answer.body))
}

/// The question in one line for a terminal, truncated after a few hundred characters.
fn in_one_line(question: &Question) -> String {
    let text = serde_json::to_string(question).unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_graphic() || c == ' ';
    let plain = |c: char| if is_plain(c) { c.to_string() } else { c.escape_unicode().to_string() };
    let short: String = text.chars().take(300).map(plain).collect();
    if text.chars().nth(300).is_some() { format!("{short}…") } else { short }
}

#[cfg(test)]
mod tests {
    use jackfield_plugin_abi::envelope::{Event, EventResponse, WebhookRequest};

    use super::*;

    fn leaks(result: TaskResult, question: Question) -> Vec<String> {
        let observation = Observation { result: Ok(result), ..Observation::of(question) };
        let mut behaviour = Behaviour::default();
        behaviour.observe(None, &observation, vec![("secret", "canary")]);
        behaviour.findings.iter().map(|finding| format!("{}: {}", finding.place, finding.problem)).collect()
    }

    #[test]
    fn a_secret_in_the_answer_to_a_call_is_a_leak() {
        let call = || WebhookRequest::new("POST", "");
        let answer = || WebhookResponse::new(200).with_body("text/plain", "the canary");
        let leak =
            |place: &str| vec![format!("{place}: leak: the value of the option `secret` is in the answer to a call")];
        let webhook = Question::Webhook { request: call(), state: serde_json::Map::new() };
        assert_eq!(leaks(TaskResult::WebhookHandled { response: answer() }, webhook), leak("a call to its webhook"));
        let event = || Question::Event { request: call() };
        assert_eq!(
            leaks(TaskResult::EventHandled { response: answer().into() }, event()),
            leak("a call to its events URL")
        );
        let response = EventResponse::new(WebhookResponse::new(200)).event(Event::uninstalled("x").id("canary"));
        let id = "a call to its events URL: leak: the value of the option `secret` is in the id of an event";
        assert_eq!(leaks(TaskResult::EventHandled { response }, event()), [id]);
        assert!(leaks(TaskResult::EventHandled { response: WebhookResponse::new(401).into() }, event()).is_empty());
    }
}
