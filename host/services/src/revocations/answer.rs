//! What a provider replies to a revocation, and what follows from it. Pure.

use std::time::Duration;

use time::OffsetDateTime;

use crate::provider_calls::provider_pause;
use jackfield_store::revocations::Revocation;

/// What came of an attempt. Words hold no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationOutcome {
    /// There is nothing left to do.
    Done {
        /// What the provider said.
        answer: String,
        /// What that means for the tokens.
        effect: TokenEffect,
    },
    /// It is not done, and tried again.
    Waiting {
        /// What the provider said.
        answer: String,
        /// The pause that the provider asks for, if it does.
        asked: Option<Duration>,
        /// When it is tried again.
        retry_at: OffsetDateTime,
    },
    /// Nobody could be asked. It is looked at again.
    NotAsked {
        /// Why.
        answer: String,
        /// When.
        retry_at: OffsetDateTime,
    },
    /// It is not done, and not tried again.
    Failed(String),
    /// Another host works on it, or it is done, or it is not due.
    HeldByAnotherHost,
    /// Another host has brought it to its end, with this answer.
    EndedByAnotherHost(String),
}

/// What the end of a revocation means for the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenEffect {
    /// They do not work any more.
    Revoked,
    /// There were none, or they are still in use.
    Nothing,
    /// The provider has no revocation for some of them: these may work until they expire.
    Impossible,
}

/// What a provider replied. Words hold no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProviderReply {
    /// There is nothing left to do.
    Done(String, TokenEffect),
    /// Not now; with the pause that it asks for, if it does.
    Later(String, Option<Duration>),
    /// Nobody can be asked before the operator has changed something.
    NotAsked(String),
    /// What is to be revoked does not open, so nobody can ever be asked.
    Unreadable(String),
}

/// For how long a provider is asked again. Before it has been asked a few times, that does not
/// count: while it was not loaded, nobody asked it.
const LONGEST_TRIED: time::Duration = time::Duration::days(7);
const FEWEST_ATTEMPTS: i32 = 10;
/// When a provider that is not loaded is looked for again.
const LOOK_FOR_PROVIDER: time::Duration = time::Duration::minutes(5);

impl RevocationOutcome {
    /// What follows from a reply. A provider that refuses is asked for a while; one that cannot be
    /// asked is waited for.
    pub(super) fn of(revocation: &Revocation, reply: ProviderReply, now: OffsetDateTime) -> Self {
        match reply {
            ProviderReply::Done(answer, effect) => Self::Done { answer, effect },
            ProviderReply::Unreadable(answer) => Self::Failed(answer),
            ProviderReply::NotAsked(answer) => Self::NotAsked { answer, retry_at: now + LOOK_FOR_PROVIDER },
            ProviderReply::Later(answer, _) if is_tried_enough(revocation, now) => Self::Failed(answer),
            ProviderReply::Later(answer, asked) => {
                let retry_at = now + provider_pause(revocation.attempts - 1, asked);
                Self::Waiting { answer, asked, retry_at }
            }
        }
    }
}

fn is_tried_enough(revocation: &Revocation, now: OffsetDateTime) -> bool {
    now - revocation.date_added > LONGEST_TRIED && revocation.attempts >= FEWEST_ATTEMPTS
}

impl ProviderReply {
    pub(super) const fn nothing() -> Self {
        Self::Done(String::new(), TokenEffect::Nothing)
    }

    fn words(&self) -> &str {
        match self {
            Self::Done(words, _) | Self::Later(words, _) | Self::NotAsked(words) | Self::Unreadable(words) => words,
        }
    }

    /// The same reply, with the name of the grant it is about.
    pub(super) fn about(self, grant: &str) -> Self {
        let words = format!("{grant}: {}", self.words());
        match self {
            Self::Done(_, effect) => Self::Done(words, effect),
            Self::Later(_, asked) => Self::Later(words, asked),
            Self::NotAsked(_) => Self::NotAsked(words),
            Self::Unreadable(_) => Self::Unreadable(words),
        }
    }

    /// Both in one. What can be tried again decides, then what waits for the operator, and of two
    /// ends the worse.
    pub(super) fn and(self, other: Self, separator: &str) -> Self {
        let words: Vec<&str> = [self.words(), other.words()].into_iter().filter(|words| !words.is_empty()).collect();
        let words = words.join(separator);
        match (self, other) {
            (Self::Later(_, one), Self::Later(_, two)) => Self::Later(words, one.max(two)),
            (Self::Later(_, asked), _) | (_, Self::Later(_, asked)) => Self::Later(words, asked),
            (Self::NotAsked(_), _) | (_, Self::NotAsked(_)) => Self::NotAsked(words),
            (Self::Unreadable(_), _) | (_, Self::Unreadable(_)) => Self::Unreadable(words),
            (Self::Done(_, one), Self::Done(_, two)) => Self::Done(words, one.worse(two)),
        }
    }

    /// An end, with what could not be read and so is not revoked.
    pub(super) fn with_unreadable(self, count: usize) -> Self {
        match self {
            Self::Done(words, effect) if count > 0 => {
                let words = format!("{words}; {count} sealed values could not be read, what they held is not revoked");
                Self::Done(words, effect.worse(TokenEffect::Impossible))
            }
            other => other,
        }
    }

    pub(super) const fn wants_a_pause(&self) -> bool {
        matches!(self, Self::Later(_, Some(_)))
    }

    pub(super) const fn is_revoked(&self) -> bool {
        matches!(self, Self::Done(_, TokenEffect::Revoked))
    }
}

impl TokenEffect {
    fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Impossible, _) | (_, Self::Impossible) => Self::Impossible,
            (Self::Revoked, _) | (_, Self::Revoked) => Self::Revoked,
            _ => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-25 12:00 UTC);

    #[test]
    fn a_provider_is_asked_for_a_week_with_growing_pauses_and_one_that_is_not_loaded_for_ever() {
        let outcome = |attempts, age: time::Duration, reply| match RevocationOutcome::of(
            &Revocation::sample(attempts, NOW - age),
            reply,
            NOW,
        ) {
            RevocationOutcome::Waiting { retry_at, .. } => {
                format!("again after {} s", (retry_at - NOW).whole_seconds())
            }
            RevocationOutcome::NotAsked { retry_at, .. } => {
                format!("looks after {} s", (retry_at - NOW).whole_seconds())
            }
            RevocationOutcome::Failed(_) => "failed".to_owned(),
            other => format!("{other:?}"),
        };
        let down = |asked: Option<u64>| ProviderReply::Later("down".to_owned(), asked.map(Duration::from_secs));
        let nobody = || ProviderReply::NotAsked("not loaded".to_owned());
        let (day, month) = (time::Duration::DAY, time::Duration::days(30));
        assert_eq!(outcome(1, day, down(None)), "again after 5 s");
        assert_eq!(outcome(3, day, down(None)), "again after 20 s");
        // RFC 7009 section 2.2.1.
        assert_eq!(outcome(1, day, down(Some(600))), "again after 600 s");
        assert_eq!(outcome(40, 7 * day, down(None)), "again after 1800 s");
        assert_eq!(outcome(40, 8 * day, down(None)), "failed");
        // It came back after eight days, or the operator has it tried again: that is no reason to
        // fail at once.
        assert_eq!(outcome(1, 8 * day, down(Some(600))), "again after 600 s");
        assert_eq!(outcome(9, month, down(None)), "again after 1280 s");
        assert_eq!(outcome(10, month, down(None)), "failed");
        assert_eq!(outcome(40, month, nobody()), "looks after 300 s");
        assert_eq!(outcome(1, day, ProviderReply::Unreadable("it does not open".to_owned())), "failed");
    }
}
