//! What a visit came to, and what a test says about it.

use jackfield_plugin::{Answer, Form, Integration};

use crate::difference::{difference, integration_in_words};

/// What a visit came to. Its methods panic with what it was instead, at which step, so that a test says what it expects.
#[must_use = "say what the visit should have come to"]
#[derive(Debug)]
pub struct Outcome {
    /// Which visit, to which step.
    pub(crate) at: String,
    pub(crate) came: Came,
    /// Whether a real host keeps a part of it to itself.
    pub(crate) is_sealed: bool,
}

/// Each thing that a visit can come to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Came {
    /// The current step answered and waits.
    Answer(Answer),
    /// The host's own OAuth 2.0 step sends the person to log in: go on with [`Harness::consents`](crate::Harness::consents).
    OAuth2,
    /// The pipeline is through, and this is what came of it.
    Built(Integration),
    /// The step or the build failed; the person reads `an internal error occurred`, the log has these words.
    Failed(String),
}

impl Outcome {
    /// What it is, to be matched.
    #[must_use]
    pub const fn came(&self) -> &Came {
        &self.came
    }

    #[track_caller]
    fn unexpected(&self, wanted: &str) -> ! {
        panic!("{}: expected {wanted}, came {}", self.at, in_words(&self.came))
    }

    /// The page of an [`Answer::Html`]. A real host gives it back cleaned: what it leaves out, people never see.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn html(self) -> String {
        match self.came {
            Came::Answer(Answer::Html { html }) => html,
            _ => self.unexpected("HTML"),
        }
    }

    /// The page of an [`Answer::Wait`], which looks again by itself.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn wait(self) -> String {
        match self.came {
            Came::Answer(Answer::Wait { html }) => html,
            _ => self.unexpected("a page that waits"),
        }
    }

    /// The form of an [`Answer::Form`].
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn form(self) -> Form {
        match self.came {
            Came::Answer(Answer::Form { form }) => form,
            _ => self.unexpected("a form"),
        }
    }

    /// The URL of an [`Answer::Redirect`].
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn redirect(self) -> String {
        match self.came {
            Came::Answer(Answer::Redirect { url }) => url,
            _ => self.unexpected("a redirect"),
        }
    }

    /// The message of an [`Answer::Error`], which the person reads.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn error(self) -> String {
        match self.came {
            Came::Answer(Answer::Error { message }) => message,
            _ => self.unexpected("an error for the person"),
        }
    }

    /// Why a step or the build failed, as the operator's log has it.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn failure(self) -> String {
        match self.came {
            Came::Failed(message) => message,
            _ => self.unexpected("a failure"),
        }
    }

    /// The integration of a finished pipeline. Of what a real host has stored only external id and name can be seen: metadata and identity are
    /// sealed, and absent here. [`assert_integration`](Self::assert_integration) compares what can be seen.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn integration(self) -> Integration {
        match self.came {
            Came::Built(integration) => integration,
            _ => self.unexpected("an integration"),
        }
    }

    /// The pipeline is through and has come to this integration: all of it in process, external id and name through a real host.
    ///
    /// # Panics
    /// When it has not, with the difference.
    #[track_caller]
    pub fn assert_integration(self, expected: &Integration) {
        let Came::Built(came) = &self.came else { self.unexpected("an integration") };
        let compared = if self.is_sealed {
            // A host shows the external id where there is no name.
            let seen = |one: &Integration| {
                Integration::new(&one.external_id).name(one.name.as_ref().unwrap_or(&one.external_id))
            };
            (seen(expected), seen(came))
        } else {
            (expected.clone(), came.clone())
        };
        let (expected, came) = compared;
        if let Err(difference) = difference(&integration_in_words(&expected), &integration_in_words(&came)) {
            panic!("{}: another integration {difference}", self.at);
        }
    }

    /// The host's OAuth 2.0 step sends the person to log in.
    ///
    /// # Panics
    /// When it is something else.
    #[track_caller]
    pub fn assert_oauth2(self) {
        if self.came != Came::OAuth2 {
            self.unexpected("the way to the OAuth 2.0 log-in");
        }
    }
}

fn in_words(came: &Came) -> String {
    match came {
        Came::Answer(Answer::Html { html }) => format!("HTML:\n{html}"),
        Came::Answer(Answer::Wait { html }) => format!("a page that waits:\n{html}"),
        Came::Answer(Answer::Form { form }) => format!("the form {form:#?}"),
        Came::Answer(Answer::Redirect { url }) => format!("a redirect to {url}"),
        Came::Answer(Answer::Error { message }) => format!("an error for the person: {message}"),
        Came::Answer(other) => format!("{other:?}"),
        Came::OAuth2 => "the way to the OAuth 2.0 log-in: go on with `consents`".to_owned(),
        Came::Built(integration) => format!("an integration: {}", integration_in_words(integration)),
        Came::Failed(message) => format!("a failure: {message}"),
    }
}
