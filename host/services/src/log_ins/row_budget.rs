//! How many rows strangers may cause in the audit log. Pure, but for its lock.

use std::{collections::HashSet, net::IpAddr};

use parking_lot::Mutex;
use time::{Duration, OffsetDateTime};

/// How many kinds of refused log-ins are told apart in a minute: each is at most two rows.
pub(super) const KINDS: usize = 30;

/// For how long they are told apart.
const WINDOW: Duration = Duration::MINUTE;

/// Whose log-in was tried, from where.
pub(super) type Kind = (Option<String>, Option<IpAddr>);

/// What was told apart in this minute.
pub(super) struct RowBudget {
    window: Mutex<(OffsetDateTime, HashSet<Kind>)>,
}

impl Default for RowBudget {
    fn default() -> Self {
        Self { window: Mutex::new((OffsetDateTime::UNIX_EPOCH, HashSet::new())) }
    }
}

impl RowBudget {
    /// Whether a kind has rows of its own in this minute.
    pub(super) fn admit(&self, kind: Kind, now: OffsetDateTime) -> bool {
        let mut window = self.window.lock();
        if now - window.0 >= WINDOW {
            *window = (now, HashSet::new());
        }
        let (_, kinds) = &mut *window;
        if kinds.len() < KINDS {
            kinds.insert(kind);
            return true;
        }
        kinds.contains(&kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_a_few_kinds_and_the_next_begins_anew() {
        let (budget, now) = (RowBudget::default(), OffsetDateTime::UNIX_EPOCH + Duration::days(1));
        let kind = |n: usize| (Some(n.to_string()), None);
        let admitted = (0..1000).filter(|n| budget.admit(kind(*n), now)).count();
        assert_eq!(admitted, KINDS);
        assert!(budget.admit(kind(0), now), "it has its row");
        assert!(!budget.admit(kind(KINDS), now));
        assert!(budget.admit(kind(KINDS), now + WINDOW));
    }
}
