//! When a token counts as about to expire, and when a grant is refreshed although nobody asks.
//! Pure.

use time::{Duration, OffsetDateTime};

use jackfield_store::grants::Grant;

/// A token is refreshed when a sixth of its life is left, and two hours at most. Slack's own
/// libraries keep two of its twelve.
const LARGEST_MARGIN: Duration = Duration::hours(2);

/// When a token of this life begins to be about to expire.
fn stale_since(obtained_at: OffsetDateTime, expires_at: OffsetDateTime) -> OffsetDateTime {
    let sixth: Duration = (expires_at - obtained_at) / 6;
    expires_at - sixth.clamp(Duration::ZERO, LARGEST_MARGIN)
}

/// How far the clocks of hosts may differ.
const CLOCK_DIFFERENCE: Duration = Duration::minutes(10);

/// Whether the token is about to expire, or has. One that was obtained in the future is, too: a
/// clock was wrong then, and so is the expiry that it counted.
pub(super) fn is_stale(grant: &Grant, now: OffsetDateTime) -> bool {
    let is_of_the_future = grant.obtained_at - now > CLOCK_DIFFERENCE;
    grant.expires_at.is_some_and(|at| is_of_the_future || now >= stale_since(grant.obtained_at, at))
}

/// Whether the token can still be used.
pub(super) fn is_alive(grant: &Grant, now: OffsetDateTime) -> bool {
    grant.expires_at.is_none_or(|expires_at| now < expires_at)
}

/// When a grant with a refresh token is refreshed although nobody asks: before the refresh token
/// expires, if the provider says when, and after a while without use, since many lapse unused (RFC
/// 9700 section 4.14.2).
pub(super) fn due_at(
    now: OffsetDateTime,
    refresh_token_expires_in: Option<u64>,
    keep_alive: Option<Duration>,
) -> Option<OffsetDateTime> {
    let expiry = refresh_token_expires_in.and_then(|seconds| in_seconds(now, seconds));
    let before_expiry = expiry.map(|expiry| now + (expiry - now) * 5 / 6);
    let unused = keep_alive.and_then(|period| now.checked_add(period));
    before_expiry.into_iter().chain(unused).min()
}

/// A time from now; `None` if it cannot be counted.
pub(super) fn in_seconds(now: OffsetDateTime, seconds: u64) -> Option<OffsetDateTime> {
    now.checked_add(Duration::seconds(i64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-25 12:00 UTC);

    #[test]
    fn a_sixth_of_a_life_is_left_and_two_hours_at_most() {
        for (life, margin) in [
            (Duration::hours(12), Duration::hours(2)),
            (Duration::days(30), Duration::hours(2)),
            (Duration::hours(1), Duration::minutes(10)),
            (Duration::seconds(6), Duration::seconds(1)),
            (Duration::ZERO, Duration::ZERO),
            (Duration::seconds(-5), Duration::ZERO),
        ] {
            assert_eq!(stale_since(NOW, NOW + life), NOW + life - margin, "{life}");
        }
    }

    #[test]
    fn a_grant_is_refreshed_before_its_refresh_token_expires_and_after_a_while_without_use() {
        let week = Some(Duration::weeks(1));
        assert_eq!(due_at(NOW, None, None), None);
        assert_eq!(due_at(NOW, None, week), Some(NOW + Duration::weeks(1)));
        assert_eq!(due_at(NOW, Some(6 * 3600), week), Some(NOW + Duration::hours(5)));
        assert_eq!(due_at(NOW, Some(90 * 86400), week), Some(NOW + Duration::weeks(1)));
        assert_eq!(due_at(NOW, Some(u64::MAX), None), None);
    }
}
