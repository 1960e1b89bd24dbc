//! Spans of time as operators write them: `90d`, `2w`.

use std::time::Duration;

/// Longest time: what is beyond it is a slip, and does not fit into a date.
const LONGEST: Duration = Duration::from_secs(100 * 365 * DAY);

const DAY: u64 = 24 * 60 * 60;

/// Reads `30s`, `5m`, `12h`, `90d` or `2w`; `None` if it is none of these, zero, or beyond a
/// century.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => DAY,
        "w" => 7 * DAY,
        _ => return None,
    };
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| is_number)?;
    let span = Duration::from_secs(number.checked_mul(unit)?);
    (Duration::ZERO < span && span <= LONGEST).then_some(span)
}
