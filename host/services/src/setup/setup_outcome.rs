//! What comes of a request to a setup.

use super::{refusal::Refusal, result::SetupResult};
use jackfield_loader::Form;
use jackfield_store::ConnectSessionId;

/// What the person reads when the fault is the host's or the plugin's. The log has the cause.
pub const INTERNAL_ERROR: &str = "an internal error occurred";

/// What comes of a request to a setup.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A page of the current step.
    Show {
        /// The page.
        page: Page,
        /// How far the person is.
        progress: Progress,
    },
    /// A redirect to the setup's own URL, which shows the page of the current step. The URL of this
    /// request holds an authorization server's answer, which must not stay in the address bar, the
    /// history and `Referer` (RFC 9700 section 4.3).
    RedirectToPage(String),
    /// A redirect, usually to the provider's pages.
    Redirect(String),
    /// A page that says where the plugin sends the person, to a host that it does not declare.
    Leave {
        /// Absolute http or https URL.
        url: String,
        /// Slug of the organization, for the way back.
        organization: String,
        /// The connect session, of a person without an account here.
        connect: Option<ConnectSessionId>,
    },
    /// The setup has ended.
    Ended(SetupResult),
    /// The request is no answer to this setup, which goes on. The page that opened the pop-up is
    /// not told.
    Foreign(SetupResult),
    /// The setup may not go on.
    Refused(Refusal),
    /// No such provider is offered.
    NotFound,
}

impl Outcome {
    /// Logs the refusal, once.
    pub(super) fn refused(provider: &str, refusal: Refusal) -> Self {
        refusal.log(provider);
        Self::Refused(refusal)
    }
}

/// A page of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Page {
    /// The plugin's own HTML, to be framed and kept from running anything.
    Html(String),
    /// The same, which reloads by itself until the step goes on.
    Wait(String),
    /// A form for the host to draw.
    Form(Form),
}

/// How far the person is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What people call the provider.
    pub provider: String,
    /// Slug of the organization.
    pub organization: String,
    /// The connect session, of a person without an account here.
    pub connect: Option<ConnectSessionId>,
    /// Current step, from 1.
    pub step: usize,
    /// Number of steps that the plugin declares.
    pub of: usize,
    /// The hosts that the person has named: links may lead there.
    pub named_hosts: Vec<String>,
    /// What a form of this page posts as [`STEP_FIELD`](super::STEP_FIELD).
    pub mark: usize,
}

/// Why a setup ends without an integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// What the person reads, and what the page that opened the pop-up gets.
    pub(super) message: String,
    /// Which check failed, if one did.
    pub(super) check: Option<&'static str>,
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self { message: message.to_owned(), check: None }
    }
}
