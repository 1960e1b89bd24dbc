//! What a request to a step led to, and what a test expects of it.

use jackfield_plugin::{Answer, Form, Integration};

use crate::diff::{diff, integration_text};

/// What a request to a step led to. Its methods panic if it is something else than the test
/// expects, and say which request it was, to which step.
#[must_use = "say what the request should lead to"]
#[derive(Debug)]
pub struct Outcome {
    /// Which request, to which step.
    pub(crate) place: String,
    pub(crate) kind: OutcomeKind,
    /// Whether a real host shows only a part of the integration.
    pub(crate) is_partial: bool,
}

/// What a request to a step can lead to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum OutcomeKind {
    /// The current step has answered and waits for the next request.
    Answer(Answer),
    /// The host's OAuth 2.0 step sends the person to the login. Go on with
    /// [`Harness::authorize`](crate::Harness::authorize).
    OAuth2,
    /// The pipeline has finished, and this is the integration.
    Built(Integration),
    /// The step or the build failed with this message for the log. The person reads `an internal
    /// error occurred`.
    Failed(String),
}

impl Outcome {
    /// What it is, for a `match`.
    #[must_use]
    pub const fn kind(&self) -> &OutcomeKind {
        &self.kind
    }

    #[track_caller]
    fn unexpected(&self, expected: &str) -> ! {
        panic!("{}: expected {expected}, got {}", self.place, text(&self.kind))
    }

    /// The HTML of an [`Answer::Html`]. A real host sanitizes it, so it shows what people see.
    ///
    /// # Panics
    /// If it is something else.
    #[must_use]
    #[track_caller]
    pub fn expect_html(self) -> String {
        match self.kind {
            OutcomeKind::Answer(Answer::Html { html }) => html,
            _ => self.unexpected("HTML"),
        }
    }

    /// The HTML of an [`Answer::Wait`], which reloads itself.
    ///
    /// # Panics
    /// If it is something else.
    #[must_use]
    #[track_caller]
    pub fn expect_wait(self) -> String {
        match self.kind {
            OutcomeKind::Answer(Answer::Wait { html }) => html,
            _ => self.unexpected("a page that waits"),
        }
    }

    /// The form of an [`Answer::Form`].
    ///
    /// # Panics
    /// If it is something else.
    #[must_use]
    #[track_caller]
    pub fn expect_form(self) -> Form {
        match self.kind {
            OutcomeKind::Answer(Answer::Form { form }) => form,
            _ => self.unexpected("a form"),
        }
    }

    /// The URL of an [`Answer::Redirect`].
    ///
    /// # Panics
    /// If it is something else.
    #[must_use]
    #[track_caller]
    pub fn expect_redirect(self) -> String {
        match self.kind {
            OutcomeKind::Answer(Answer::Redirect { url }) => url,
            _ => self.unexpected("a redirect"),
        }
    }

    /// The message of an [`Answer::Error`], which the person reads.
    ///
    /// # Panics
    /// If it is something else.
    #[must_use]
    #[track_caller]
    pub fn expect_error(self) -> String {
        match self.kind {
            OutcomeKind::Answer(Answer::Error { message }) => message,
            _ => self.unexpected("an error for the person"),
        }
    }

    /// The message for the operator's log, if the step or the build failed.
    ///
    /// # Panics
    /// If it is something else.
    #[must_use]
    #[track_caller]
    pub fn expect_failure(self) -> String {
        match self.kind {
            OutcomeKind::Failed(message) => message,
            _ => self.unexpected("a failure"),
        }
    }

    /// The integration of a finished pipeline. A real host encrypts metadata and identity, so it
    /// shows only external id and name. [`assert_integration`](Self::assert_integration) compares
    /// what it shows.
    ///
    /// # Panics
    /// If it is something else.
    #[must_use]
    #[track_caller]
    pub fn expect_integration(self) -> Integration {
        match self.kind {
            OutcomeKind::Built(integration) => integration,
            _ => self.unexpected("an integration"),
        }
    }

    /// Asserts that the pipeline has finished with this integration: all of it in process, external
    /// id and name through a real host.
    ///
    /// # Panics
    /// If not, with the difference.
    #[track_caller]
    pub fn assert_integration(self, expected: &Integration) {
        let OutcomeKind::Built(actual) = &self.kind else { self.unexpected("an integration") };
        let (expected, actual) =
            if self.is_partial { (visible(expected), visible(actual)) } else { (expected.clone(), actual.clone()) };
        if let Err(difference) = diff(&integration_text(&expected), &integration_text(&actual)) {
            panic!("{}: another integration {difference}", self.place);
        }
    }

    /// Asserts that the host's OAuth 2.0 step sends the person to the login.
    ///
    /// # Panics
    /// If it is something else.
    #[track_caller]
    pub fn assert_oauth2(self) {
        if self.kind != OutcomeKind::OAuth2 {
            self.unexpected("the OAuth 2.0 login");
        }
    }
}

/// What a host shows of an integration: the external id takes the place of an absent name.
fn visible(integration: &Integration) -> Integration {
    let name = integration.name.as_ref().unwrap_or(&integration.external_id);
    Integration::new(&integration.external_id).name(name)
}

fn text(kind: &OutcomeKind) -> String {
    match kind {
        OutcomeKind::Answer(Answer::Html { html }) => format!("HTML:\n{html}"),
        OutcomeKind::Answer(Answer::Wait { html }) => format!("a page that waits:\n{html}"),
        OutcomeKind::Answer(Answer::Form { form }) => format!("the form {form:#?}"),
        OutcomeKind::Answer(Answer::Redirect { url }) => format!("a redirect to {url}"),
        OutcomeKind::Answer(Answer::Error { message }) => format!("an error for the person: {message}"),
        OutcomeKind::Answer(other) => format!("{other:?}"),
        OutcomeKind::OAuth2 => "the OAuth 2.0 login: go on with `authorize`".to_owned(),
        OutcomeKind::Built(integration) => format!("an integration: {}", integration_text(integration)),
        OutcomeKind::Failed(message) => format!("a failure: {message}"),
    }
}
