//! Judges by the host's own rules what a provider brings by itself: how much of it, where it leads,
//! and whose identities.
//!
//! Only answers to ordinary questions are judged so: what a plugin hands on of an invented flood is
//! not its own.

use jackfield_loader::{
    Answer, Destination, Integration, LONGEST_MESSAGE, MOST_LOG_LINES, PluginError, Step, catalogue_entry,
    check_result, destination_of, links_in, shown_name,
};
use jackfield_outbound::HostAllowList;
use jackfield_plugin_abi::envelope::TaskResult;
use url::Url;

use super::{observation::Observation, problem::Problem};

/// What a person writes in each field of a form. Where a plugin hands it on, it is not its own.
pub(super) const FORM_VALUE: &str = "example";

/// What is known of a provider before it is asked.
pub(super) struct Judge {
    /// The hosts that it declares.
    pub(super) reach: HostAllowList,
    pub(super) steps: Vec<Step>,
    /// The ids of all providers of the library.
    pub(super) ids: Vec<String>,
}

impl Judge {
    /// What is wrong with what it has brought.
    pub(super) async fn problems(&self, observation: &Observation) -> Vec<Problem> {
        let mut problems = Vec::new();
        if observation.log.len() > MOST_LOG_LINES {
            problems.push(Problem::LogFlood { found: observation.log.len(), limit: MOST_LOG_LINES });
        }
        let result = match &observation.result {
            Ok(result) => result,
            Err(error) => {
                problems.extend(many_words(error));
                return problems;
            }
        };
        if let Err(error) = check_result(result.clone()).await {
            problems.push(limit(error));
        }
        match result {
            TaskResult::Answered { answer, .. } => problems.extend(self.ways_away(answer)),
            TaskResult::Built { integration } => {
                let name = integration.name.as_deref().unwrap_or_default();
                problems.extend(cleaned("the name of the integration", name));
                problems.extend(self.foreign_identity(integration));
            }
            _ => {}
        }
        problems
    }

    fn ways_away(&self, answer: &Answer) -> Vec<Problem> {
        match answer {
            Answer::Redirect { url } => self.redirect(url).into_iter().collect(),
            Answer::Html { html } | Answer::Wait { html } => {
                // As a browser would resolve them on the page of a setup.
                let own = Url::parse("https://own.invalid/extensions/").ok();
                let urls = links_in(html).into_iter().filter_map(|href| own.as_ref()?.join(&href).ok());
                let others = urls.filter(|url| own.as_ref().is_some_and(|own| own.origin() != url.origin()));
                others.filter_map(|url| self.away("a link", &url)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// A text that is no URL at all may be what was posted.
    fn redirect(&self, url: &str) -> Option<Problem> {
        let parsed = Url::parse(url).ok()?;
        match parsed.scheme() {
            "http" | "https" => self.away("a redirect", &parsed),
            _ => Some(Problem::NotTheWeb(url.chars().take(100).collect())),
        }
    }

    fn away(&self, what: &'static str, url: &Url) -> Option<Problem> {
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let host = url.host_str()?;
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        match destination_of(url, &self.reach, &self.steps) {
            Destination::Declared => None,
            Destination::Elsewhere | Destination::NotGranted => Some(Problem::LeadsAway { what, host }),
        }
    }

    fn foreign_identity(&self, integration: &Integration) -> Option<Problem> {
        let found = &integration.identity.as_ref()?.identity_type;
        let is_own = self.ids.contains(found);
        let (shown, wanted) = (found.chars().take(64).collect(), self.ids.clone());
        // A type may be the library's own without being an id, as long as nobody else can have it.
        let is_of_anybody = found == FORM_VALUE || catalogue_entry(found).is_some();
        (!is_own).then_some(Problem::ForeignIdentity { found: shown, wanted, is_of_anybody })
    }
}

/// A name that people read in another way than it is given.
pub(super) fn cleaned(what: &'static str, name: &str) -> Option<Problem> {
    let shown = shown_name(name);
    (shown != name).then(|| Problem::Cleaned { what, shown: start(&shown) })
}

/// The first words of a name.
fn start(name: &str) -> String {
    let start: String = name.chars().take(40).collect();
    if start.len() < name.len() { start + "…" } else { start }
}

fn many_words(error: &PluginError) -> Option<Problem> {
    let PluginError::Fault(fault) = error else { return None };
    let found = fault.message.chars().count();
    (found > LONGEST_MESSAGE).then_some(Problem::ManyWords { found, limit: LONGEST_MESSAGE })
}

/// The border's own words.
fn limit(error: PluginError) -> Problem {
    match error {
        PluginError::Answer(words) => Problem::Limit(words),
        other => Problem::Limit(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use jackfield_loader::{Identity, State};
    use jackfield_plugin_abi::envelope::{LogLine, Question};

    use super::*;

    async fn said(result: TaskResult, log: usize) -> Vec<String> {
        let reach = HostAllowList::new(vec!["*.declared.example".parse().expect("a host")], None);
        let judge = Judge { reach, steps: Vec::new(), ids: vec!["acme".to_owned()] };
        let log = vec![LogLine::default(); log];
        let observation = Observation { result: Ok(result), log, ..Observation::of(Question::Unknown) };
        judge.problems(&observation).await.iter().map(ToString::to_string).collect()
    }

    fn answered(answer: Answer) -> TaskResult {
        TaskResult::Answered { answer, state: State::new() }
    }

    fn built(integration: Integration) -> TaskResult {
        TaskResult::Built { integration }
    }

    #[tokio::test]
    async fn what_is_within_the_limits_has_no_problem() {
        let page =
            r#"<a href="/here">A</a><a href="https://a.declared.example/">B</a><a href="mailto:a@b.example">C</a>"#;
        for result in [
            answered(Answer::html(page)),
            answered(Answer::redirect("https://a.declared.example/")),
            answered(Answer::redirect("example")),
            built(Integration::new("T1").identity(Identity::new("acme", "", "U1"))),
        ] {
            assert_eq!(said(result, MOST_LOG_LINES).await, Vec::<String>::new());
        }
    }

    #[tokio::test]
    async fn each_problem_says_what_was_found() {
        for (result, log, wanted) in [
            (answered(Answer::Next), 21, "log: found 21 lines for one question, at most 20 are kept"),
            (
                answered(Answer::html("h".repeat(65537))),
                0,
                "limit: the HTML of the page: found 65537 bytes, at most 65536 are taken",
            ),
            (
                answered(Answer::html(r#"<a href="//look.example:8443/">A</a>"#)),
                0,
                "leads away: a link leads to look.example:8443, which it does not declare",
            ),
            (
                answered(Answer::redirect("https://look.example/")),
                0,
                "leads away: a redirect leads to look.example, which it does not declare",
            ),
            (
                answered(Answer::redirect("javascript:alert(1)")),
                0,
                "redirect: found `javascript:alert(1)`, wanted an http or https URL",
            ),
            (
                built(Integration::new("T1").name("Ac\u{202e}me")),
                0,
                "name: the name of the integration has characters that act, or is too long: a host shows \"Acme\"",
            ),
            (
                built(Integration::new("T\0")),
                0,
                "limit: the external id of the integration: found the character U+0000, which it cannot have",
            ),
            (
                built(Integration::new("T1").identity(Identity::new("slack", "", "U1"))),
                0,
                "identity: found the type \"slack\", wanted the id of one of its providers: acme",
            ),
        ] {
            assert_eq!(said(result, log).await, [wanted]);
        }
    }
}
