//! Why a call is refused.

use thiserror::Error;

/// Why a call is not known to be the service's. For the log: whoever called reads only that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unverified {
    /// There is nothing to verify it with.
    #[error("no secret is set")]
    NoSecret,
    /// The declaration names an algorithm or an encoding that this host does not know.
    #[error("the provider signs in a way that this host does not know")]
    Unsupported,
    /// The header is missing, or is not written as declared.
    #[error("it has no readable signature")]
    NoSignature,
    /// The time is missing, or is not written as one.
    #[error("it does not say when it was sent")]
    NoTime,
    /// It was sent too long ago, or will be.
    #[error("it was sent too long ago, or by a clock that differs")]
    WrongTime,
    /// Somebody else has signed it, or it was changed since.
    #[error("its signature does not fit")]
    WrongSignature,
}
