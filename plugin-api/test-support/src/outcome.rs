//! What a visit came to.

use jackfield_plugin::{Form, Integration};
use jackfield_plugin_abi::envelope::Answer;

/// What a visit came to. The reading methods panic with what it was instead, so that a test says what it expects.
#[derive(Debug)]
pub enum Outcome {
    /// The current step answered and waits.
    Answer(Answer),
    /// The next step is the host's own, OAuth 2.0.
    HostStep,
    /// The pipeline is through, and this is what came of it.
    Built(Result<Integration, String>),
    /// The step failed.
    Failed(String),
}

impl Outcome {
    /// The page of an [`Answer::Html`].
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn html(self) -> String {
        match self {
            Self::Answer(Answer::Html { html }) => html,
            other => panic!("expected HTML, got {other:?}"),
        }
    }

    /// The form of an [`Answer::Form`].
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn form(self) -> Form {
        match self {
            Self::Answer(Answer::Form { form }) => form,
            other => panic!("expected a form, got {other:?}"),
        }
    }

    /// The URL of an [`Answer::Redirect`].
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn redirect(self) -> String {
        match self {
            Self::Answer(Answer::Redirect { url }) => url,
            other => panic!("expected a redirect, got {other:?}"),
        }
    }

    /// The message of an [`Answer::Error`], which the person reads.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn error(self) -> String {
        match self {
            Self::Answer(Answer::Error { message }) => message,
            other => panic!("expected an error for the person, got {other:?}"),
        }
    }

    /// The integration of a finished pipeline.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn integration(self) -> Integration {
        match self {
            Self::Built(Ok(integration)) => integration,
            other => panic!("expected an integration, got {other:?}"),
        }
    }

    /// Why a step or the build failed, as the operator's log has it.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn failure(self) -> String {
        match self {
            Self::Failed(message) | Self::Built(Err(message)) => message,
            other => panic!("expected a failure, got {other:?}"),
        }
    }
}
