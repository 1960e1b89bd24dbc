//! When a token ends, as operators write it: after a time, or at a date.

use time::{Date, Duration, OffsetDateTime, Time, format_description::well_known::Rfc3339, macros::format_description};

use jackfield_config::span;

/// An end that is counted from now, or one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    After(Duration),
    At(OffsetDateTime),
}

const EXAMPLES: &str = "it must be a time like 90d, 12h or 30m, a date like 2027-01-31, or a time of RFC 3339";

impl Expiry {
    /// Reads `90d`, `2027-01-31` (its first second in UTC) or `2027-01-31T12:00:00Z`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let day = || Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
        let at = OffsetDateTime::parse(text, &Rfc3339).ok();
        let at = at.or_else(|| Some(day()?.with_time(Time::MIDNIGHT).assume_utc()));
        at.map(Self::At)
            .or_else(|| Some(Self::After(span::parse(text)?.try_into().ok()?)))
            .ok_or_else(|| EXAMPLES.to_owned())
    }

    /// The time at which it is over.
    pub(super) fn from(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::After(span) => now + span,
            Self::At(at) => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn an_end_is_a_span_a_date_or_a_time() {
        let cases = [
            ("30m", Some(Expiry::After(Duration::minutes(30)))),
            ("12h", Some(Expiry::After(Duration::hours(12)))),
            ("90d", Some(Expiry::After(Duration::days(90)))),
            ("2w", Some(Expiry::After(Duration::weeks(2)))),
            ("2027-01-31", Some(Expiry::At(datetime!(2027-01-31 00:00 UTC)))),
            ("2027-01-31T12:00:00Z", Some(Expiry::At(datetime!(2027-01-31 12:00 UTC)))),
            ("0d", None),
            ("-1d", None),
            ("+1d", None),
            ("90", None),
            ("d", None),
            ("", None),
            ("é", None),
            ("1 d", None),
            ("99999999999d", None),
            ("9223372036854775807w", None),
            ("2027-13-01", None),
            ("never", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Expiry::parse(text).ok(), expected, "{text}");
        }
    }
}
