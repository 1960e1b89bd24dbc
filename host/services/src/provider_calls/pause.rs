//! How long a provider is left alone after a failure. Pure.

use std::time::Duration;

use jackfield_limits::Backoff;

const BACKOFF: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(30 * 60));
/// Longest pause that a provider can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 3600);

/// The pause after so many failures in a row, or the longer one that the provider asks for.
pub(crate) fn provider_pause(failures: i32, asked: Option<Duration>) -> Duration {
    BACKOFF.pause_or_asked(failures.try_into().unwrap_or_default(), asked, LONGEST_ASKED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_left_alone_longer_and_longer_and_as_long_as_it_asks() {
        let seconds = |failures, asked: Option<u64>| provider_pause(failures, asked.map(Duration::from_secs)).as_secs();
        assert_eq!([0, 1, 2, 9, 1000].map(|failures| seconds(failures, None)), [5, 10, 20, 1800, 1800]);
        assert_eq!((seconds(0, Some(60)), seconds(9, Some(60)), seconds(0, Some(u64::MAX))), (60, 1800, 86400));
    }
}
