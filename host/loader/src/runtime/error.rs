//! Why a plugin gave no usable answer.

use jackfield_outbound::OverBudget;
use jackfield_plugin_abi::envelope::{Fault, FaultKind};
use thiserror::Error;

use super::{redactor::Redactor, transport::TransportError};
use crate::border::{OutOfBounds, clean, escaped_words};

/// Most diagnostics of options that a plugin answers, and most known keys of one.
const MOST_DIAGNOSTICS: usize = 64;
const MOST_KNOWN: usize = 256;

/// Most requests that one question may make. It bounds what one step of a setup can cost the
/// network.
pub const MAX_REQUESTS: usize = 20;

/// Why a plugin gave no usable answer. For the log: a browser shows `an internal error occurred`.
#[derive(Clone, Debug, Error)]
pub enum PluginError {
    /// No reply came back.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The plugin answered a fault.
    #[error("{0}")]
    Fault(Fault),
    /// The plugin's reply does not answer the question.
    #[error("the plugin's answer cannot be used: {0}")]
    Answer(String),
    /// The plugin asked for more requests than one question may make.
    #[error("the plugin asked for more than {MAX_REQUESTS} requests in one step")]
    TooManyRequests,
    /// A visit to a setup has cost all that it may.
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    /// The plugin was restarted during the question, and asked for other requests the second time.
    #[error("another setup ended the plugin, and this one could not be repeated")]
    NotRepeatable,
    /// The plugin was restarted and describes a provider differently.
    #[error("the plugin was restarted and describes `{0}` differently; it is not used")]
    DescriptionChanged(String),
}

impl PluginError {
    /// The error in one word, for the log's `plugin.reason`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Transport(error) => error.reason(),
            Self::Fault(Fault { kind: FaultKind::Panicked, .. }) => "panic",
            Self::Fault(Fault { kind: FaultKind::Stalled, .. }) => "stalled",
            Self::Fault(_) => "fault",
            Self::Answer(_) | Self::DescriptionChanged(_) => "answer",
            Self::TooManyRequests | Self::OverBudget(_) => "requests",
            Self::NotRepeatable => "gone",
        }
    }

    /// Whether the running plugin must not be asked again: it has ended, or a panic left it half
    /// changed.
    pub(crate) const fn is_fatal(&self) -> bool {
        matches!(self, Self::Transport(_) | Self::Fault(Fault { kind: FaultKind::Panicked, .. }))
    }

    /// Whether the plugin's code panicked, and the glue has caught it.
    pub(crate) const fn is_panic(&self) -> bool {
        matches!(self, Self::Fault(Fault { kind: FaultKind::Panicked, .. }))
    }

    /// The same with words that can be logged: cut, and with characters that act escaped.
    pub(crate) fn bounded(self) -> Self {
        let mut fault = match self {
            Self::Fault(fault) => fault,
            Self::Transport(TransportError::Signal(text)) => {
                return TransportError::Signal(escaped_words(&text)).into();
            }
            Self::Transport(TransportError::Exit(text)) => return TransportError::Exit(escaped_words(&text)).into(),
            other => return other,
        };
        fault.message = escaped_words(&fault.message);
        fault.options.truncate(MOST_DIAGNOSTICS);
        for diagnostic in &mut fault.options {
            diagnostic.key = clean(&diagnostic.key);
            diagnostic.message = escaped_words(&diagnostic.message);
            diagnostic.help = escaped_words(&diagnostic.help);
            diagnostic.known.truncate(MOST_KNOWN);
            diagnostic.known.iter_mut().for_each(|known| *known = clean(known));
        }
        Self::Fault(fault)
    }

    pub(crate) fn redacted(self, redactor: &Redactor) -> Self {
        match self {
            Self::Fault(mut fault) => {
                fault.message = redactor.redact(&fault.message);
                for diagnostic in &mut fault.options {
                    diagnostic.message = redactor.redact(&diagnostic.message);
                }
                Self::Fault(fault)
            }
            Self::Transport(TransportError::Signal(text)) => TransportError::Signal(redactor.redact(&text)).into(),
            Self::Transport(TransportError::Exit(text)) => TransportError::Exit(redactor.redact(&text)).into(),
            other => other,
        }
    }
}

impl From<OutOfBounds> for PluginError {
    fn from(error: OutOfBounds) -> Self {
        Self::Answer(error.to_string())
    }
}
