//! What a step of a plugin has answered, and which hosts it accepts.

use jackfield_plugin_abi::{
    envelope::{Answer, State},
    host_pattern::{HostPattern, url_fields},
};

/// What a step of a plugin has answered.
#[derive(Clone, Debug, PartialEq)]
pub struct StepOutcome {
    /// Its answer.
    pub answer: Answer,
    /// The state after it.
    pub state: State,
    /// The hosts that the person has named and that the step accepts. Empty if it names none, or
    /// asks the person once more.
    pub accepted_hosts: Vec<String>,
    /// The fields of its form in which a person can write a URL.
    pub url_fields: Vec<String>,
}

impl StepOutcome {
    /// `named` are the hosts that the step has judged. They count if it lets the person go on.
    pub(crate) fn new(answer: Answer, state: State, named: &[HostPattern]) -> Self {
        let goes_on = matches!(answer, Answer::Next | Answer::Redirect { .. });
        let accepted_hosts = if goes_on { named.iter().map(ToString::to_string).collect() } else { Vec::new() };
        let url_fields = if let Answer::Form { form } = &answer { url_fields(form) } else { Vec::new() };
        Self { answer, state, accepted_hosts, url_fields }
    }
}
