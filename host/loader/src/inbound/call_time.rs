//! When a call was sent, as services write it, and whether that is now.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Larger numbers are milliseconds: as seconds they would be after the year 5000.
const LARGEST_SECONDS: u64 = 100_000_000_000;

/// Seconds since 1970 UTC: of a number of seconds or milliseconds, or of RFC 3339.
pub(super) fn seconds(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: u64 = text.parse().ok()?;
        return Some(if number > LARGEST_SECONDS { number / 1000 } else { number });
    }
    OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp().try_into().ok()
}

/// Whether a time differs from now by so many seconds at most, either way.
pub(super) const fn is_recent(time: u64, now: u64, tolerance: u64) -> bool {
    time.abs_diff(now) <= tolerance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_services_write_them() {
        for (text, time) in [
            ("1531420618", Some(1_531_420_618)),
            ("1531420618123", Some(1_531_420_618)),
            ("2021-03-25T05:09:27Z", Some(1_616_648_967)),
            ("2021-03-25T06:09:27.5+01:00", Some(1_616_648_967)),
            ("0", Some(0)),
            ("", None),
            ("-5", None),
            ("+1531420618", None),
            (" 1531420618", None),
            ("1531420618.5", None),
            ("1969-12-31T23:59:59Z", None),
            ("99999999999999999999", None),
            ("yesterday", None),
        ] {
            assert_eq!(seconds(text), time, "{text:?}");
        }
    }

    #[test]
    fn a_time_may_differ_by_the_tolerance_and_no_second_more() {
        for (time, is_now) in [(700, true), (1300, true), (699, false), (1301, false), (1000, true), (0, false)] {
            assert_eq!(is_recent(time, 1000, 300), is_now, "{time}");
        }
        assert!(!is_recent(u64::MAX, 0, 300) && is_recent(1000, 1000, 0));
    }
}
