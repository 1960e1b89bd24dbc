//! What a verification of the log finds, in words, and the head that an operator has noted.

use std::{fmt, str::FromStr};

use super::{Break, Head};
use jackfield_store::audit::Cut;

/// A head that was noted elsewhere: `N:HASH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotedHead {
    pub(super) count: i64,
    pub(super) hash: String,
}

/// The result of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The head of the chain, as the database has it.
    pub head: Head,
    /// How many rows are intact and where they belong.
    pub intact: i64,
    /// Where the chain is broken; empty if it is intact.
    pub breaks: Vec<Break>,
    /// How many more breaks there are than are listed.
    pub more: usize,
    /// What retention has removed from the beginning.
    pub cut: Cut,
    /// Whether retention has removed the row of the noted head: nothing can be said of it any more.
    pub is_noted_row_removed: bool,
}

impl Verification {
    /// Whether nothing was changed and nothing is missing.
    #[must_use]
    pub const fn is_intact(&self) -> bool {
        self.breaks.is_empty()
    }

    /// How many rows there must be: all that were written, without those that retention has
    /// removed.
    #[must_use]
    pub fn rows(&self) -> i64 {
        self.head.count.saturating_sub(self.cut.removed.max(0)).max(0)
    }
}

/// Where the chain is broken, and how many rows are intact.
impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for broken in &self.breaks {
            write!(f, "\n  {broken}")?;
        }
        if self.more > 0 {
            write!(f, "\n  and {} more", self.more)?;
        }
        write!(f, "\n  verified: {} of {} rows are intact", self.intact, self.rows())
    }
}

impl FromStr for NotedHead {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').and_then(|(count, hash)| Some((count.parse().ok()?, hash)));
        let is_hash = |hash: &str| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        match parts {
            Some((count, hash)) if is_hash(hash) => Ok(Self { count, hash: hash.to_ascii_lowercase() }),
            _ => Err("a number of rows, a colon and a hash, as `jackfield audit verify` prints".to_owned()),
        }
    }
}
