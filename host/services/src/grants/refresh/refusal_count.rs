//! When a row of equal refusals means that a refresh token is dead. Pure.
//!
//! Services refuse dead refresh tokens in words that nobody knows. Without an end, the integration
//! would stay active and never work, and nobody would be told.

use time::{Duration, OffsetDateTime};

use jackfield_store::refresh_refusals::Refusals;

/// Fewest equal refusals that end a grant, and how long they must last: a server that is broken for
/// an hour ends nothing.
const FEWEST: i32 = 5;
const SHORTEST: Duration = Duration::hours(6);

/// What ends the grant, if this refusal does so after the known ones.
pub(super) fn end_of(known: &Refusals, signature: &str, reason: &str, now: OffsetDateTime) -> Option<String> {
    let since = known.since.filter(|_| known.signature.as_deref() == Some(signature))?;
    let count = known.count + 1;
    let is_enough = count >= FEWEST && now - since >= SHORTEST;
    is_enough.then(|| format!("refused {count} times in {} hours: {reason}", (now - since).whole_hours()))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-25 12:00 UTC);

    #[test]
    fn five_equal_refusals_in_six_hours_end_a_grant_and_nothing_less() {
        let known = |signature: &str, count, hours| Refusals {
            signature: Some(signature.to_owned()),
            count,
            since: Some(NOW - Duration::hours(hours)),
        };
        let end = |known: &Refusals| end_of(known, "400 odd", "the service said: odd", NOW);
        let said = "refused 5 times in 6 hours: the service said: odd".to_owned();
        assert_eq!(end(&known("400 odd", 4, 6)), Some(said));
        assert!(end(&known("400 odd", 90, 24 * 30)).is_some());
        for too_little in [known("400 odd", 3, 60), known("400 odd", 90, 5), known("400 other", 90, 60)] {
            assert_eq!(end(&too_little), None, "{too_little:?}");
        }
        assert_eq!(end(&Refusals::default()), None, "the first one");
    }
}
