//! Why a plugin gave no usable answer.

use jackfield_plugin_abi::envelope::{Fault, FaultKind};
use thiserror::Error;

use super::{conversation::MOST_REQUESTS, port::PortError, redact::Redactor};

/// Why a plugin gave no usable answer. For the log; the person in the browser reads `an internal error occurred`.
#[derive(Clone, Debug, Error)]
pub enum PluginError {
    /// No answer came back.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The plugin answered a fault.
    #[error("{0}")]
    Fault(Fault),
    /// The plugin answered something that is not an answer to the question.
    #[error("the plugin's answer cannot be used: {0}")]
    Answer(String),
    /// The plugin asked for more requests than one question may cost.
    #[error("the plugin asked for more than {MOST_REQUESTS} requests in one step")]
    TooManyRequests,
    /// The plugin was started anew in the midst of it, and asked for something else the second time.
    #[error("the plugin was ended on account of another set-up, and this one could not be repeated")]
    NotRepeatable,
    /// The plugin was started anew and is not what it was.
    #[error("the plugin was started anew and describes `{0}` otherwise than before; it is not used like that")]
    DescribedOtherwise(String),
}

impl PluginError {
    /// What went wrong in one word, the log's `plugin.reason`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Port(error) => error.reason(),
            Self::Fault(Fault { kind: FaultKind::Panicked, .. }) => "panic",
            Self::Fault(Fault { kind: FaultKind::Stalled, .. }) => "stalled",
            Self::Fault(_) => "fault",
            Self::Answer(_) | Self::DescribedOtherwise(_) => "answer",
            Self::TooManyRequests => "requests",
            Self::NotRepeatable => "gone",
        }
    }

    /// Whether the running library must not be asked anything more: it is ended, or may be half changed.
    pub(super) const fn is_fatal(&self) -> bool {
        matches!(self, Self::Port(_) | Self::Fault(Fault { kind: FaultKind::Panicked, .. }))
    }

    pub(super) fn redacted(self, redactor: &Redactor) -> Self {
        match self {
            Self::Fault(mut fault) => {
                fault.message = redactor.redact(&fault.message);
                for diagnostic in &mut fault.options {
                    diagnostic.message = redactor.redact(&diagnostic.message);
                }
                Self::Fault(fault)
            }
            Self::Port(PortError::Signal(words)) => Self::Port(PortError::Signal(redactor.redact(&words))),
            Self::Port(PortError::Exit(words)) => Self::Port(PortError::Exit(redactor.redact(&words))),
            other => other,
        }
    }
}
