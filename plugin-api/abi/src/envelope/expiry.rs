//! When a token expires, in all the ways in which services say so. Pure.

use serde_json::Value;

/// When a token expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// So many seconds after the response.
    In(u64),
    /// At a time, in seconds since 1970.
    At(i64),
}

impl Expiry {
    pub(super) const fn lifetime(self) -> Option<u64> {
        match self {
            Self::In(seconds) => Some(seconds),
            Self::At(_) => None,
        }
    }

    pub(super) const fn time(self) -> Option<i64> {
        match self {
            Self::At(time) => Some(time),
            Self::In(_) => None,
        }
    }
}

/// The members that say when the access token expires, in the order in which they are read: in
/// small letters, without `_`, `-` and `.`.
///
/// RFC 6749 section 5.1 has `expires_in`. Strava and Square have `expires_at`, Azure AD version 1
/// `expires_on`, ASP.NET `.expires`, Facebook `expires`, Google's libraries `expiry_date`.
pub(super) const ACCESS: [&str; 13] = [
    "expiresin",
    "accesstokenexpiresin",
    "expiresat",
    "accesstokenexpiresat",
    "expireson",
    "expires",
    "expiry",
    "expirydate",
    "expiration",
    "expirationtime",
    "expirationdate",
    "expiretime",
    "accesstokenexpiry",
];

/// The same for the refresh token: Keycloak has `refresh_expires_in`, Intuit
/// `x_refresh_token_expires_in`.
pub(super) const REFRESH: [&str; 9] = [
    "refreshtokenexpiresin",
    "xrefreshtokenexpiresin",
    "refreshexpiresin",
    "refreshtokenexpiresat",
    "refreshexpiresat",
    "refreshtokenexpireson",
    "refreshtokenexpires",
    "refreshtokenexpiry",
    "refreshtokenexpiration",
];

/// From here on, a number is a time and not a lifetime: 31 years, or the year 2001.
const EARLIEST_TIME: f64 = 1e9;
/// From here on, a time is in milliseconds, microseconds, nanoseconds.
const UNITS: [(f64, f64); 3] = [(1e17, 1e9), (1e14, 1e6), (1e11, 1e3)];
/// Largest number that JSON counts exactly.
const LARGEST: f64 = 9e18;

/// What the first member of these names that says something says.
///
/// Zero means "at once" at some services and "never" at others, and so does a negative number, so
/// neither says anything.
pub(super) fn expiry(response: &Value, names: &[&str]) -> Option<Expiry> {
    let members = response.as_object()?;
    let plain: Vec<(String, &Value)> = members.iter().map(|(key, value)| (plain(key), value)).collect();
    names.iter().find_map(|name| {
        let mut named = plain.iter().filter(|(key, _)| key == name);
        named.find_map(|(_, value)| of_value(value, name.ends_with("in")))
    })
}

fn plain(key: &str) -> String {
    key.chars().filter(|letter| !matches!(letter, '_' | '-' | '.')).map(|letter| letter.to_ascii_lowercase()).collect()
}

fn of_value(value: &Value, is_lifetime: bool) -> Option<Expiry> {
    match value {
        Value::Number(number) => of_number(number.as_f64()?, is_lifetime),
        Value::String(text) => match text.trim().parse() {
            Ok(number) => of_number(number, is_lifetime),
            Err(_) => seconds_since_1970(text.trim()).map(Expiry::At),
        },
        _ => None,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be within what an integer holds"
)]
fn of_number(number: f64, is_lifetime: bool) -> Option<Expiry> {
    if !(1.0..LARGEST).contains(&number) {
        return None;
    }
    if is_lifetime || number < EARLIEST_TIME {
        return Some(Expiry::In(number as u64));
    }
    let unit = UNITS.iter().find(|(from, _)| number >= *from).map_or(1.0, |(_, unit)| *unit);
    Some(Expiry::At((number / unit) as i64))
}

/// A time in words: ISO 8601 with or without a zone, or as in RFC 5322 and RFC 9110 section 5.6.7.
/// Without a zone it is UTC.
fn seconds_since_1970(text: &str) -> Option<i64> {
    iso_8601(text).or_else(|| internet_message(text))
}

fn iso_8601(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let days = days_since_1970(year, month, day).filter(|_| parts.next().is_none())?;
    let Some(rest) = rest.strip_prefix(['T', 't', ' ']) else { return rest.is_empty().then_some(days * 86_400) };
    let end = rest.find(|letter: char| !matches!(letter, '0'..='9' | ':' | '.' | ',')).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(end);
    Some(days * 86_400 + seconds_of_day(clock)? - offset(zone)?)
}

fn internet_message(text: &str) -> Option<i64> {
    let text = text.split_once(',').map_or(text, |(_weekday, rest)| rest);
    let mut words = text.split_whitespace().flat_map(|word| {
        // RFC 850 writes 25-Nov-26. A zone like -0500 is one word.
        if word.starts_with(['+', '-']) { vec![word] } else { word.split('-').collect() }
    });
    let day = words.next()?.parse().ok()?;
    let month = words.next().and_then(month)?;
    let year: i64 = words.next()?.parse().ok()?;
    let year = if year < 100 { year + 2000 } else { year };
    let (clock, zone) = (words.next()?, words.next().unwrap_or_default());
    let days = days_since_1970(year, month, day).filter(|_| words.next().is_none())?;
    Some(days * 86_400 + seconds_of_day(clock)? - offset(zone)?)
}

fn month(name: &str) -> Option<i64> {
    const NAMES: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let name = name.get(..3)?.to_ascii_lowercase();
    let place = NAMES.iter().position(|known| *known == name)?;
    i64::try_from(place + 1).ok()
}

/// Hours, minutes, and seconds if they are there. A fraction is cut off.
fn seconds_of_day(clock: &str) -> Option<i64> {
    let whole = clock.split(['.', ',']).next()?;
    let mut parts = whole.split(':');
    let (hours, minutes) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let seconds = parts.next().map_or(Some(0), |seconds| digits(seconds, 2))?;
    let is_time = hours < 24 && minutes < 60 && seconds <= 60 && parts.next().is_none();
    is_time.then_some(hours * 3600 + minutes * 60 + seconds)
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    let zone = zone.trim();
    if zone.is_empty() || ["Z", "UTC", "GMT", "UT"].iter().any(|utc| zone.eq_ignore_ascii_case(utc)) {
        return Some(0);
    }
    let (sign, rest) =
        zone.strip_prefix('+').map(|rest| (1, rest)).or(zone.strip_prefix('-').map(|rest| (-1, rest)))?;
    let rest = rest.replace(':', "");
    let (hours, minutes) = rest.split_at_checked(2)?;
    let minutes = if minutes.is_empty() { 0 } else { digits(minutes, 2)? };
    Some(sign * (digits(hours, 2)? * 3600 + minutes * 60))
}

fn digits(text: &str, length: usize) -> Option<i64> {
    let is_number = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar. `None` if there is no such day.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    if !((1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)) {
        return None;
    }
    // Years begin in March, so that the day of a leap year is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    Some(year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// 2026-11-30, 18:00 in UTC.
    const EVENING: i64 = 1_796_061_600;

    #[test]
    fn a_lifetime_is_read_in_every_spelling() {
        for (name, value) in [
            ("expires_in", json!(3600)),
            ("expires_in", json!("3600")),
            ("expires_in", json!(3600.7)),
            ("expires_in", json!(" 3600.9 ")),
            ("expiresIn", json!(3600)),
            ("expires-in", json!(3600)),
            ("access_token_expires_in", json!(3600)),
            ("expires", json!(3600)),
            ("expires", json!("3600")),
            ("expires_at", json!(3600)),
        ] {
            assert_eq!(expiry(&json!({name: value}), &ACCESS), Some(Expiry::In(3600)), "{name} {value}");
        }
        for (name, value) in [
            ("refresh_token_expires_in", json!(1800)),
            ("refresh_expires_in", json!("1800")),
            ("x_refresh_token_expires_in", json!(1800)),
            ("refreshTokenExpiresIn", json!(1800)),
            ("refreshExpiresIn", json!(1800)),
        ] {
            assert_eq!(expiry(&json!({name: value}), &REFRESH), Some(Expiry::In(1800)), "{name} {value}");
        }
    }

    #[test]
    fn a_time_is_read_in_every_spelling() {
        for (name, value) in [
            ("expires_at", json!(EVENING)),
            ("expires_at", json!(EVENING.to_string())),
            ("expires_at", json!(1_796_061_600.25)),
            ("expiresAt", json!(1_796_061_600_123_i64)),
            ("expiry_date", json!(1_796_061_600_123_i64)),
            ("expires_at", json!(1_796_061_600_123_456_i64)),
            ("expires_at", json!(1_796_061_600_123_456_789_i64)),
            ("expires_on", json!("1796061600")),
            ("expires_on", json!(EVENING)),
            ("expires", json!(EVENING)),
            ("expires_at", json!("2026-11-30T18:00:00Z")),
            ("expires_at", json!("2026-11-30t18:00:00.123456z")),
            ("expires_at", json!("2026-11-30T18:00:00")),
            ("expires_at", json!("2026-11-30 18:00:00 UTC")),
            ("expires_at", json!("2026-11-30 18:00")),
            ("expires_at", json!("2026-11-30T19:30:00+01:30")),
            ("expires_at", json!("2026-11-30T13:00:00-0500")),
            ("expires_at", json!("2026-11-30T20:00:00,5+02")),
            ("expiry", json!("2026-11-30T18:00:00+00:00")),
            (".expires", json!("Mon, 30 Nov 2026 18:00:00 GMT")),
            ("expiration", json!("Mon, 30 Nov 2026 13:00:00 -0500")),
            ("expiration", json!("30 Nov 2026 18:00:00 +0000")),
            ("expires", json!("Monday, 30-Nov-26 18:00:00 GMT")),
            ("expires_in", json!("2026-11-30T18:00:00Z")),
        ] {
            assert_eq!(expiry(&json!({name: value}), &ACCESS), Some(Expiry::At(EVENING)), "{name} {value}");
        }
        let refresh = json!({"refresh_token_expires_at": "2026-11-30T18:00:00Z"});
        assert_eq!(expiry(&refresh, &REFRESH), Some(Expiry::At(EVENING)));
        let days = [("1970-01-01", 0), ("2000-02-29", 951_782_400), ("2000-03-01", 951_868_800)];
        for (day, seconds) in days.into_iter().chain([("9999-12-31", 253_402_214_400), ("0001-01-01", -62_135_596_800)])
        {
            assert_eq!(expiry(&json!({"expires_at": day}), &ACCESS), Some(Expiry::At(seconds)), "{day}");
        }
    }

    #[test]
    fn what_says_nothing_is_passed_over_and_nothing_overflows() {
        for value in [
            json!(null),
            json!(0),
            json!(-1),
            json!("-3600"),
            json!(""),
            json!("soon"),
            json!("never"),
            json!(true),
            json!([3600]),
            json!({"seconds": 3600}),
            json!(1e300),
            json!("1e300"),
            json!("inf"),
            json!("NaN"),
            json!(u64::MAX),
            json!("2026-13-01T00:00:00Z"),
            json!("2026-11-31T25:00:00Z"),
            json!("2026-11-30T18:00:00 Mars"),
            json!("2026-11-30X"),
            json!("９９９９-12-31"),
            json!("Mon, 30 Nov"),
            json!("30 Nov 2026 18:00:00 GMT again"),
            json!("99999-12-31T00:00:00Z"),
        ] {
            for name in ["expires_in", "expires_at", "expires"] {
                assert_eq!(expiry(&json!({name: value}), &ACCESS), None, "{name} {value}");
            }
        }
        let both = json!({"expires_in": 0, "expires_at": EVENING});
        assert_eq!(expiry(&both, &ACCESS), Some(Expiry::At(EVENING)), "the next one speaks");
        let strava = json!({"expires_at": EVENING, "expires_in": 21600});
        assert_eq!(expiry(&strava, &ACCESS), Some(Expiry::In(21600)), "which needs no clock of the service");
        assert_eq!(expiry(&json!({"issued_at": "1558553873237", "ext_expires_in": 7}), &ACCESS), None);
        assert_eq!(expiry(&json!("text"), &ACCESS), None);
    }
}
