//! Why the database cannot be used at present, in words for everybody. Holds no address, no path
//! and no value.

use std::{fmt, time::Duration};

use thiserror::Error;

/// What keeps the database from doing what it was asked. It passes by itself, or the operator
/// mends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No connection can be made.
    Unreachable,
    /// It takes a question and does not answer.
    Silent,
    /// All connections of the pool are busy.
    NoConnectionFree,
    /// Another process holds a lock.
    Locked,
    /// Its disk is full.
    Full,
    /// It can only be read: a standby, a file without permission to write.
    ReadOnly,
    /// It has cancelled a statement that took too long.
    StatementTimeout,
    /// A connection was cut in the middle.
    ConnectionLost,
    /// Two transactions were in each other's way.
    Conflict,
    /// It lacks memory, locks or room for connections.
    Exhausted,
    /// Its disk fails.
    DiskFailed,
    /// What is on its disk is damaged.
    Malformed,
    /// The file was deleted, or another one stands in its place.
    Replaced,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Unreachable,
        Self::Silent,
        Self::NoConnectionFree,
        Self::Locked,
        Self::Full,
        Self::ReadOnly,
        Self::StatementTimeout,
        Self::ConnectionLost,
        Self::Conflict,
        Self::Exhausted,
        Self::DiskFailed,
        Self::Malformed,
        Self::Replaced,
    ];

    /// The reason in a few words, as anybody may read them.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unreachable => "the database cannot be reached",
            Self::Silent => "the database does not answer",
            Self::NoConnectionFree => "all connections to the database are busy",
            Self::Locked => "the database is locked by another process",
            Self::Full => "the disk of the database is full",
            Self::ReadOnly => "the database is read-only",
            Self::StatementTimeout => "the database has cancelled a statement that took too long",
            Self::ConnectionLost => "the connection to the database was lost",
            Self::Conflict => "two transactions were in each other's way",
            Self::Exhausted => "the database has used up its memory or its connections",
            Self::DiskFailed => "the disk of the database fails",
            Self::Malformed => "the database is malformed",
            Self::Replaced => "the database file was deleted or replaced",
        }
    }

    /// When a caller may ask again.
    #[must_use]
    pub const fn retry_after(self) -> Duration {
        match self {
            Self::NoConnectionFree | Self::StatementTimeout | Self::ConnectionLost | Self::Conflict => {
                Duration::from_secs(1)
            }
            Self::Unreachable | Self::Silent | Self::Locked | Self::Exhausted => Duration::from_secs(2),
            Self::Full | Self::ReadOnly | Self::DiskFailed | Self::Malformed | Self::Replaced => {
                Duration::from_secs(10)
            }
        }
    }

    /// Whether no request can be served while it lasts: then nobody tries.
    pub(crate) const fn is_total(self) -> bool {
        matches!(self, Self::Unreachable | Self::Silent | Self::Replaced)
    }

    /// Whether a connection is to blame, so that another one may do.
    pub(crate) const fn is_of_connection(self) -> bool {
        matches!(self, Self::Unreachable | Self::ConnectionLost)
    }

    /// Whether it concerns all requests, and not only the one that met it.
    #[must_use]
    pub const fn is_lasting(self) -> bool {
        !matches!(self, Self::StatementTimeout | Self::ConnectionLost | Self::Conflict)
    }
}

/// What is known of a change that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing was stored.
    NotDone,
    /// The answer to a commit was lost: all of it may be stored, or nothing.
    Unknown,
}

/// The database cannot be used at present.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Unavailable {
    /// Why.
    pub reason: Reason,
    /// What became of the change.
    pub effect: Effect,
    /// What the database or the system said, for the log. Holds no password.
    pub(crate) said: String,
}

impl Unavailable {
    /// Nothing was stored.
    pub(crate) fn new(reason: Reason, said: impl Into<String>) -> Self {
        Self { reason, effect: Effect::NotDone, said: said.into() }
    }

    /// The same after a commit whose answer was lost.
    pub(crate) fn with_unknown_effect(self) -> Self {
        Self { effect: Effect::Unknown, ..self }
    }

    /// The error that [`Unavailable::code`] stands for.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let (words, effect) = match code.strip_suffix(UNKNOWN) {
            Some(words) => (words, Effect::Unknown),
            None => (code, Effect::NotDone),
        };
        let reason = Reason::ALL.into_iter().find(|reason| reason.words() == words)?;
        Some(Self { reason, effect, said: String::new() })
    }

    /// The error as one text, for libraries that hand on nothing else.
    #[must_use]
    pub fn code(&self) -> String {
        let unknown = if self.effect == Effect::Unknown { UNKNOWN } else { "" };
        format!("{}{unknown}", self.reason.words())
    }
}

const UNKNOWN: &str = "; what was to be stored may be stored";

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code())?;
        if self.said.is_empty() { Ok(()) } else { write!(f, ": {}", self.said) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_comes_back_from_its_words() {
        for reason in Reason::ALL {
            for error in [Unavailable::new(reason, ""), Unavailable::new(reason, "").with_unknown_effect()] {
                assert_eq!(Unavailable::from_code(&error.code()), Some(error));
            }
        }
        assert_eq!(Unavailable::from_code("the database failed"), None);
    }
}
