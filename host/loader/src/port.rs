//! How a plugin is asked. The rest of this room holds a [`Port`] and cannot tell a function call from a worker process.

use std::time::Duration;

use futures_util::future::BoxFuture;
use thiserror::Error;

/// Carries one question to a running library and its answer back: bytes of [`jackfield_plugin_abi::envelope`] both ways.
///
/// One question at a time: the next waits until the one before is answered or has failed.
pub(super) trait Port: Send + Sync {
    /// Asks `op` with `body`.
    fn call(&self, op: &'static str, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, PortError>>;

    /// Whether it can be asked anything more.
    fn is_live(&self) -> bool;
}

/// Largest answer that is taken, in bytes. States, pages and requests are small; what is larger is a mistake or an attack.
pub(super) const LARGEST_ANSWER: usize = 8 << 20;

/// Why no answer came back, whatever it might have said.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PortError {
    /// It took longer than it may.
    #[error("no answer within {0:?} ([plugins] deadline)")]
    Deadline(Duration),
    /// The system ended the worker.
    #[error("the worker was ended by {0}")]
    Signal(String),
    /// The worker ended itself.
    #[error("the worker has exited with {0}")]
    Exit(String),
    /// The worker wanted more memory than it may have.
    #[error("the worker has used up its {0} MiB of memory ([plugins] memory)")]
    Memory(u64),
    /// The worker sent something that is no answer to the question.
    #[error("the worker broke the protocol: {0}")]
    Protocol(&'static str),
    /// The answer is larger than `LARGEST_ANSWER`.
    #[error("the answer is larger than {LARGEST_ANSWER} bytes")]
    Oversized,
    /// It has ended, or was ended on account of somebody else, before it was asked this question.
    #[error("its worker had ended, or had spoken without being asked, before this question")]
    Gone,
    /// The system's loader or the layout check refused the library.
    #[error("{0}")]
    NotLoaded(String),
    /// No worker could be started.
    #[error("no worker can be started: {0}")]
    NoWorker(String),
    /// The system lacks a part of the sandbox, and all of it is required.
    #[error("the sandbox does not hold: this system lacks {0}")]
    NotHeld(String),
}

impl PortError {
    /// What went wrong in one word, the log's `plugin.reason`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Deadline(_) => "deadline",
            Self::Signal(_) => "signal",
            Self::Exit(_) => "exit",
            Self::Memory(_) => "memory",
            Self::Protocol(_) => "protocol",
            Self::Oversized => "oversized",
            Self::Gone => "gone",
            Self::NotLoaded(_) => "not-loaded",
            Self::NoWorker(_) => "no-worker",
            Self::NotHeld(_) => "sandbox",
        }
    }
}
