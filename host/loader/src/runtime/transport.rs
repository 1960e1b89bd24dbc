//! How a plugin is asked. The rest of the loader holds a [`Transport`] and cannot tell a function
//! call from a worker process.

use std::time::Duration;

use futures_util::future::BoxFuture;
use thiserror::Error;

use crate::border::LARGEST_REPLY;

/// Carries one call to a plugin and its reply back, both in the bytes of
/// [`jackfield_plugin_abi::envelope`].
///
/// Calls do not overlap: the next one waits until the one before has its reply or has failed.
pub(crate) trait Transport: Send + Sync {
    /// Calls `op` with `body`.
    fn call(&self, op: &'static str, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>>;

    /// Whether it takes another call.
    fn is_live(&self) -> bool;
}

/// Why a call got no reply.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TransportError {
    /// The call took longer than it may.
    #[error("no answer within {0:?} ([plugins] deadline)")]
    Deadline(Duration),
    /// A signal ended the worker.
    #[error("the worker was ended by {0}")]
    Signal(String),
    /// The worker ended itself.
    #[error("the worker has exited with {0}")]
    Exit(String),
    /// The worker needed more memory than it may have.
    #[error("the worker has used up its {0} MiB of memory ([plugins] memory)")]
    Memory(u64),
    /// The worker sent bytes that do not answer the call.
    #[error("the worker broke the protocol: {0}")]
    Protocol(&'static str),
    /// The reply is larger than any may be.
    #[error("the answer: found {0} bytes, at most {LARGEST_REPLY} are taken")]
    Oversized(usize),
    /// The worker had ended before this call, for a reason that is not this call's.
    #[error("its worker ended, or sent bytes that no call asked for, before this question")]
    Gone,
    /// The system's loader or the layout check refused the library.
    #[error("{0}")]
    NotLoaded(String),
    /// The system could not start a worker.
    #[error("no worker can be started: {0}")]
    NoWorker(String),
    /// The system lacks a part of the sandbox, and the operator requires all of it.
    #[error("the sandbox does not hold: this system lacks {missing}")]
    NotSandboxed {
        /// The missing parts, each with why.
        missing: String,
        /// The system calls that a filter of the service or container forbids.
        forbidden: Vec<String>,
    },
    /// A filter of the service or container does not allow the worker these system calls; empty: it
    /// is not known which.
    #[error("a system-call filter of the service or container ends the worker (SIGSYS){}", forbidding(.0))]
    Forbidden(Vec<String>),
}

impl TransportError {
    /// The error in one word, for the log's `plugin.reason`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Deadline(_) => "deadline",
            Self::Signal(_) => "signal",
            Self::Exit(_) => "exit",
            Self::Memory(_) => "memory",
            Self::Protocol(_) => "protocol",
            Self::Oversized(_) => "oversized",
            Self::Gone => "gone",
            Self::NotLoaded(_) => "not-loaded",
            Self::NoWorker(_) => "no-worker",
            Self::NotSandboxed { .. } | Self::Forbidden(_) => "sandbox",
        }
    }
}

fn forbidding(calls: &[String]) -> String {
    if calls.is_empty() { String::new() } else { format!(": it forbids {}", calls.join(", ")) }
}
