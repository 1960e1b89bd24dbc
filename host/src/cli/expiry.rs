//! When a token ends, as operators write it: after a time, or at a date.

use time::{Date, Duration, OffsetDateTime, Time, format_description::well_known::Rfc3339, macros::format_description};

/// An end that is counted from now, or one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    After(Duration),
    At(OffsetDateTime),
}

const EXAMPLES: &str = "it must be a time like 90d, 12h or 30m, a date like 2027-01-31, or a time of RFC 3339";

/// Longest time: what is beyond it is a slip, and does not fit into a date.
const LONGEST: Duration = Duration::days(100 * 365);

impl Expiry {
    /// Reads `90d`, `2027-01-31` (its first second in UTC) or `2027-01-31T12:00:00Z`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let day = || Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
        let at = OffsetDateTime::parse(text, &Rfc3339).ok();
        let at = at.or_else(|| Some(day()?.with_time(Time::MIDNIGHT).assume_utc()));
        at.map(Self::At).or_else(|| span(text).map(Self::After)).ok_or_else(|| EXAMPLES.to_owned())
    }

    /// The time at which it is over.
    pub(super) fn from(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::After(span) => now + span,
            Self::At(at) => at,
        }
    }
}

/// Reads how long something is waited for, like `30s`.
pub(super) fn patience(text: &str) -> Result<std::time::Duration, String> {
    let span = if text == "0s" { Some(Duration::ZERO) } else { counted(text) };
    let span = span.filter(|span| *span <= Duration::DAY).and_then(|span| span.try_into().ok());
    span.ok_or_else(|| "it must be a time like 30s, 2m or 1h, a day at most".to_owned())
}

/// A time after which something ends, which is no matter of seconds.
fn span(text: &str) -> Option<Duration> {
    counted(text).filter(|_| !text.ends_with('s'))
}

fn counted(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit: i64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return None,
    };
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = number.parse().ok().filter(|_| is_number)?;
    let span = Duration::seconds(number.checked_mul(unit)?);
    (Duration::ZERO < span && span <= LONGEST).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_patience_is_a_time_up_to_a_day() {
        let cases = [("0s", Some(0)), ("30s", Some(30)), ("2m", Some(120)), ("1h", Some(3600)), ("24h", Some(86_400))];
        for (text, expected) in cases.into_iter().chain(["25h", "30", "", "-1s", "soon"].map(|text| (text, None))) {
            assert_eq!(patience(text).ok().map(|patience| patience.as_secs()), expected, "{text}");
        }
    }

    #[test]
    fn an_end_is_a_span_a_date_or_a_time() {
        let cases = [
            ("30m", Some(Expiry::After(Duration::minutes(30)))),
            ("12h", Some(Expiry::After(Duration::hours(12)))),
            ("90d", Some(Expiry::After(Duration::days(90)))),
            ("2w", Some(Expiry::After(Duration::weeks(2)))),
            ("2027-01-31", Some(Expiry::At(datetime!(2027-01-31 00:00 UTC)))),
            ("2027-01-31T12:00:00Z", Some(Expiry::At(datetime!(2027-01-31 12:00 UTC)))),
            ("90s", None),
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
