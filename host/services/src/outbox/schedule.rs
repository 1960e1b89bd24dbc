//! When a delivery is attempted again. Pure.

use time::Duration;

/// The waits after each attempt but the last, as Standard Webhooks suggests: ten attempts in 75
/// hours.
const WAITS: [Duration; 9] = [
    Duration::seconds(5),
    Duration::minutes(5),
    Duration::minutes(30),
    Duration::hours(2),
    Duration::hours(5),
    Duration::hours(10),
    Duration::hours(14),
    Duration::hours(20),
    Duration::hours(24),
];

/// Most attempts of a delivery.
pub(super) const MOST_ATTEMPTS: i32 = 10;

/// By how much a wait is longer at most, in hundredths: deliveries that have failed together are
/// not attempted together again.
const JITTER: u32 = 10;

/// How long an endpoint is left alone that is asked too often or cannot be reached by its gateway,
/// and does not say for how long.
const PAUSE: Duration = Duration::minutes(1);
/// Longest pause that an endpoint can ask for.
const LONGEST_PAUSE: Duration = Duration::hours(24);

/// After how long without a delivery that arrives an endpoint is disabled.
pub(super) const GIVE_UP_AFTER: Duration = Duration::days(5);

/// The wait after an attempt; `None` after the last one. `random` is any number.
pub(super) fn wait_after(attempt: i32, random: u32) -> Option<Duration> {
    let index = usize::try_from(attempt).ok()?.checked_sub(1)?;
    let wait = *WAITS.get(index)?;
    let jitter = i32::try_from(random % (JITTER * 10 + 1)).unwrap_or_default();
    Some(wait + wait * jitter / 1000)
}

/// How long an endpoint is left alone after an answer. `None`: not at all.
pub(super) fn pause_after(status: u16, asked: Option<std::time::Duration>) -> Option<Duration> {
    let asked = asked.map(|asked| Duration::try_from(asked).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE));
    match (asked, status) {
        (Some(asked), _) => Some(asked),
        (None, 429 | 502 | 504) => Some(PAUSE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_take_75_hours_and_each_wait_is_a_tenth_longer_at_most() {
        let all = |random| (1..).map_while(|attempt| wait_after(attempt, random)).collect::<Vec<_>>();
        assert_eq!(all(0).len() + 1, usize::try_from(MOST_ATTEMPTS).expect("a count"));
        let total = all(0).into_iter().sum::<Duration>();
        assert_eq!(total.whole_hours(), 75);
        assert_eq!(wait_after(4, 100), Some(Duration::hours(2) + Duration::minutes(12)));
        assert!((0..500).all(|random| wait_after(4, random) <= wait_after(4, 100)));
        assert_eq!(wait_after(0, 0), None);
    }

    #[test]
    fn an_endpoint_that_asks_for_it_is_left_alone() {
        let seconds = std::time::Duration::from_secs;
        let cases = [
            (500, None, None),
            (404, None, None),
            (429, None, Some(60)),
            (502, None, Some(60)),
            (504, None, Some(60)),
            (429, Some(seconds(7)), Some(7)),
            (503, Some(seconds(7)), Some(7)),
            (503, Some(seconds(10_000_000)), Some(86_400)),
        ];
        for (status, asked, expected) in cases {
            assert_eq!(pause_after(status, asked).map(Duration::whole_seconds), expected, "{status} {asked:?}");
        }
    }
}
