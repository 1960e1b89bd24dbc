//! When a call may be sent once more. Pure.
//!
//! A 429 is never repeated and never remembered: services count by method, account and token, which nobody but they knows, so the host can
//! only guess whom else a limit is for. The caller has the `Retry-After`, and knows what can wait.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header};

use jackfield_outbound::OutboundError;

/// How often a call is sent at most, but for the one more with a fresh token.
const MOST: u32 = 3;
/// The longest pause before the second time; doubled before the third.
const PAUSE: Duration = Duration::from_millis(200);

/// Whether a call that has failed may be sent once more: where nothing was sent, any; otherwise only one that does the same if it is done
/// twice (RFC 9110 section 9.2.2), and not after the time for it is used up.
pub(super) fn after_error(method: &Method, error: &OutboundError, sent: u32) -> bool {
    let may = match error {
        OutboundError::Unreachable(_)
        | OutboundError::Refused(_)
        | OutboundError::Tls(_)
        | OutboundError::Resolve(..) => true,
        OutboundError::Connection(_) => method.is_idempotent(),
        // The guards', and those that took their time.
        _ => false,
    };
    may && sent < MOST
}

/// Whether a call that was answered may be sent once more: the service is out for a moment, and does not say how long.
pub(super) fn after_answer(method: &Method, status: StatusCode, headers: &HeaderMap, sent: u32) -> bool {
    let is_out = matches!(status.as_u16(), 502..=504);
    is_out && method.is_idempotent() && !headers.contains_key(header::RETRY_AFTER) && sent < MOST
}

/// Up to that long, so that not everybody comes back at once.
pub(super) fn pause(sent: u32) -> Duration {
    let longest = PAUSE * 2_u32.pow(sent.saturating_sub(1).min(4));
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_sent_or_does_no_harm_twice_is_sent_again() {
        let unreachable = OutboundError::Unreachable("refused".to_owned());
        let cut = OutboundError::Connection("closed".to_owned());
        let idle = OutboundError::Idle(Duration::from_secs(1));
        let guarded = OutboundError::PrivateAddress("a".to_owned());
        for (method, expected) in [
            (Method::GET, [true, true, false, false]),
            (Method::HEAD, [true, true, false, false]),
            (Method::OPTIONS, [true, true, false, false]),
            (Method::PUT, [true, true, false, false]),
            (Method::DELETE, [true, true, false, false]),
            (Method::POST, [true, false, false, false]),
            (Method::PATCH, [true, false, false, false]),
        ] {
            let found = [&unreachable, &cut, &idle, &guarded].map(|error| after_error(&method, error, 1));
            assert_eq!(found, expected, "{method}");
        }
        assert!(after_error(&Method::GET, &cut, 2) && !after_error(&Method::GET, &cut, 3));
    }

    #[test]
    fn only_an_outage_that_does_not_say_how_long_is_tried_again() {
        let nothing = HeaderMap::new();
        let statuses = [200, 401, 429, 500, 501, 502, 503, 504];
        let again = |method: &Method, headers: &HeaderMap| {
            statuses.map(|status| after_answer(method, StatusCode::from_u16(status).expect("a status"), headers, 1))
        };
        assert_eq!(again(&Method::GET, &nothing), [false, false, false, false, false, true, true, true]);
        assert_eq!(again(&Method::POST, &nothing), [false; 8]);
        let later = HeaderMap::from_iter([(header::RETRY_AFTER, http::HeaderValue::from(30))]);
        assert_eq!(again(&Method::GET, &later), [false; 8]);
        assert!(!after_answer(&Method::GET, StatusCode::BAD_GATEWAY, &nothing, 3));
    }

    #[test]
    fn pauses_are_short_grow_and_are_not_all_the_same_length() {
        for sent in 1..=2 {
            let longest = PAUSE * sent;
            let pauses: Vec<_> = (0..50).map(|_| pause(sent)).collect();
            assert!(pauses.iter().all(|pause| *pause >= longest / 2 && *pause <= longest));
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }
}
