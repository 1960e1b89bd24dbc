//! What an endpoint has answered, and what follows from it. Pure.

use time::{Duration, OffsetDateTime};

use super::schedule::{GIVE_UP_AFTER, MOST_ATTEMPTS, pause_after, wait_after};
use jackfield_store::deliveries::Next;

/// How long an endpoint is left alone that has not answered at all: what waits for it would not
/// arrive either.
const PAUSE_UNANSWERED: Duration = Duration::seconds(5);

/// What came of a request to an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AttemptResult {
    /// The status of the answer, if there was one.
    pub(super) status: Option<u16>,
    /// How long the endpoint asks to be left alone.
    pub(super) retry_after: Option<std::time::Duration>,
    /// What went wrong; `None` if it has arrived.
    pub(super) error: Option<String>,
    /// How long it took, in milliseconds.
    pub(super) duration: i64,
}

/// What becomes of the delivery and of its endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Consequence {
    pub(super) next: Next,
    /// Until when the endpoint is left alone.
    pub(super) resumes_at: Option<OffsetDateTime>,
    /// Why the endpoint is disabled, if it is.
    pub(super) disabled: Option<String>,
}

impl AttemptResult {
    /// Whether the endpoint has taken it.
    pub(super) const fn is_success(&self) -> bool {
        matches!(self.status, Some(200..=299))
    }

    /// What follows at a time from the attempt of this number at an endpoint that has been failing
    /// since then. `random` is any number.
    pub(super) fn consequence(
        &self,
        number: i32,
        failing_since: Option<OffsetDateTime>,
        now: OffsetDateTime,
        random: u32,
    ) -> Consequence {
        if self.is_success() {
            return Consequence { next: Next::Delivered, resumes_at: None, disabled: None };
        }
        let pause = match self.status {
            Some(status) => pause_after(status, self.retry_after),
            None => Some(PAUSE_UNANSWERED),
        };
        let resumes_at = pause.map(|pause| now + pause);
        let disabled = self.disabling(failing_since, now);
        // One that is delivered once more has all its attempts once more.
        let wait = wait_after((number - 1).rem_euclid(MOST_ATTEMPTS) + 1, random);
        let next = match wait {
            Some(wait) if disabled.is_none() => Next::Again((now + wait).max(resumes_at.unwrap_or(now))),
            _ => Next::Failed,
        };
        Consequence { next, resumes_at, disabled }
    }

    fn disabling(&self, failing_since: Option<OffsetDateTime>, now: OffsetDateTime) -> Option<String> {
        if self.status == Some(410) {
            return Some("it answered 410 (Gone)".to_owned());
        }
        let has_failed_long = failing_since.is_some_and(|since| now - since >= GIVE_UP_AFTER);
        has_failed_long.then(|| format!("each delivery has failed for {} days", GIVE_UP_AFTER.whole_days()))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2027-01-10 00:00 UTC);

    fn answered(status: u16) -> AttemptResult {
        AttemptResult { status: Some(status), ..AttemptResult::default() }
    }

    fn after(result: &AttemptResult, number: i32) -> Consequence {
        result.consequence(number, None, NOW, 0)
    }

    #[test]
    fn all_2xx_and_nothing_else_is_success() {
        for (status, expected) in [(199, false), (200, true), (204, true), (299, true), (301, false), (307, false)] {
            let is_delivered = after(&answered(status), 1).next == Next::Delivered;
            assert_eq!((answered(status).is_success(), is_delivered), (expected, expected), "{status}");
        }
    }

    #[test]
    fn what_has_failed_ten_times_is_not_attempted_again_unless_somebody_asks() {
        let seconds = |number| match after(&answered(500), number).next {
            Next::Again(at) => Some((at - NOW).whole_seconds()),
            _ => None,
        };
        let numbers = [1, 2, 9, 10, 11, 20];
        assert_eq!(numbers.map(seconds), [Some(5), Some(300), Some(86_400), None, Some(5), None]);
    }

    #[test]
    fn an_endpoint_that_asks_for_a_pause_gets_it() {
        let slow = AttemptResult { retry_after: Some(std::time::Duration::from_secs(100)), ..answered(503) };
        let later = NOW + Duration::seconds(100);
        let Consequence { next, resumes_at, .. } = after(&slow, 1);
        assert_eq!((next, resumes_at), (Next::Again(later), Some(later)));
        assert_eq!(after(&answered(429), 3).resumes_at, Some(NOW + Duration::minutes(1)));
        assert_eq!(after(&answered(500), 3).resumes_at, None);
        assert_eq!(after(&AttemptResult::default(), 1).resumes_at, Some(NOW + PAUSE_UNANSWERED));
    }

    #[test]
    fn an_endpoint_that_is_gone_or_fails_for_five_days_is_disabled() {
        let gone = after(&answered(410), 1);
        assert_eq!((gone.next, gone.disabled.is_some()), (Next::Failed, true));
        for (days, is_disabled) in [(4, false), (5, true)] {
            let since = Some(NOW - Duration::days(days));
            assert_eq!(answered(500).consequence(3, since, NOW, 0).disabled.is_some(), is_disabled, "{days}");
            assert_eq!(answered(200).consequence(3, since, NOW, 0).disabled, None);
        }
    }
}
