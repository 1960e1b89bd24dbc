//! When a call may be sent again. Pure.
//!
//! A 429 is never retried and never remembered: services count by method, account and token in ways
//! that only they know, so the host could only guess who else is limited. The caller has the
//! `Retry-After`, and knows what can wait.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header};

use jackfield_limits::Backoff;
use jackfield_outbound::OutboundError;

/// Most attempts of a call, not counting the one with a refreshed token.
const MAX_ATTEMPTS: u32 = 3;
/// The longest delays between the attempts.
const DELAYS: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(1));

/// Whether a call that failed may be sent again: any call if nothing was sent, else only one with
/// an idempotent method (RFC 9110 section 9.2.2), and none that has used up its time.
pub(super) fn after_error(method: &Method, error: &OutboundError, attempts: u32) -> bool {
    let is_safe = match error {
        OutboundError::Unreachable(_)
        | OutboundError::Refused(_)
        | OutboundError::Tls(_)
        | OutboundError::NotActedOn(_)
        | OutboundError::Resolve(..) => true,
        OutboundError::Connection(_) => method.is_idempotent(),
        // Bytes of an answer have come, a guard refused it, or it timed out.
        _ => false,
    };
    is_safe && attempts < MAX_ATTEMPTS
}

/// Whether a call that was answered may be sent again: the service is out for a moment, and does
/// not say for how long.
pub(super) fn after_response(method: &Method, status: StatusCode, headers: &HeaderMap, attempts: u32) -> bool {
    let is_out = matches!(status.as_u16(), 502..=504);
    is_out && method.is_idempotent() && !headers.contains_key(header::RETRY_AFTER) && attempts < MAX_ATTEMPTS
}

/// How long to wait before the next attempt, with jitter: callers must not come back all at once.
pub(super) fn delay(attempts: u32) -> Duration {
    DELAYS.jittered_pause(attempts.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_sent_or_is_idempotent_is_sent_again() {
        let unreachable = OutboundError::Unreachable("refused".to_owned());
        let cut = OutboundError::Connection("closed".to_owned());
        let idle = OutboundError::Idle(Duration::from_secs(1));
        let not_acted_on = OutboundError::NotActedOn("refused stream".to_owned());
        let unreadable = OutboundError::Unreadable("invalid HTTP".to_owned());
        let guarded = OutboundError::PrivateAddress("a".to_owned());
        for (method, expected) in [
            (Method::GET, [true, true, false, false, false]),
            (Method::HEAD, [true, true, false, false, false]),
            (Method::OPTIONS, [true, true, false, false, false]),
            (Method::PUT, [true, true, false, false, false]),
            (Method::DELETE, [true, true, false, false, false]),
            (Method::POST, [true, false, false, false, false]),
            (Method::PATCH, [true, false, false, false, false]),
        ] {
            let found = [&unreachable, &cut, &idle, &guarded, &unreadable].map(|error| after_error(&method, error, 1));
            assert_eq!(found, expected, "{method}");
        }
        assert!(after_error(&Method::POST, &not_acted_on, 1), "the service says that it has done nothing");
        assert!(after_error(&Method::GET, &cut, 2) && !after_error(&Method::GET, &cut, 3));
    }

    #[test]
    fn only_an_outage_that_does_not_say_how_long_is_retried() {
        let nothing = HeaderMap::new();
        let statuses = [200, 401, 429, 500, 501, 502, 503, 504];
        let again = |method: &Method, headers: &HeaderMap| {
            statuses.map(|status| after_response(method, StatusCode::from_u16(status).expect("a status"), headers, 1))
        };
        assert_eq!(again(&Method::GET, &nothing), [false, false, false, false, false, true, true, true]);
        assert_eq!(again(&Method::POST, &nothing), [false; 8]);
        let later = HeaderMap::from_iter([(header::RETRY_AFTER, http::HeaderValue::from(30))]);
        assert_eq!(again(&Method::GET, &later), [false; 8]);
        assert!(!after_response(&Method::GET, StatusCode::BAD_GATEWAY, &nothing, 3));
    }

    #[test]
    fn delays_are_short_grow_and_are_not_all_the_same_length() {
        for attempts in 1..=2 {
            let longest = Duration::from_millis(200) * attempts;
            let delays: Vec<_> = (0..50).map(|_| delay(attempts)).collect();
            assert!(delays.iter().all(|delay| *delay >= longest / 2 && *delay <= longest));
            assert!(delays.iter().any(|delay| *delay != delays[0]));
        }
    }
}
