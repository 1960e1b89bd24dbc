//! How many calls of a provider this host takes, and how many are kept.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use jackfield_config as config;
use jackfield_limits::{InFlight, InFlightGuard, TokenBucket};
use parking_lot::Mutex;

/// Most calls of one provider that are being stored on this host.
const MOST_CALLS: usize = 64;

/// The limits of each provider. Cheap to clone.
#[derive(Clone)]
pub(super) struct InboxLimits {
    settings: config::Inbox,
    in_flight: InFlight<String>,
    /// One for each provider that is loaded, or was.
    rates: Arc<Mutex<HashMap<String, Rate>>>,
}

struct Rate {
    bucket: Arc<TokenBucket>,
    /// Events since the oldest were removed.
    since_trim: u32,
}

impl InboxLimits {
    pub(super) fn new(settings: config::Inbox) -> Self {
        Self { settings, in_flight: InFlight::default(), rates: Arc::default() }
    }

    /// How long an event is kept.
    pub(super) fn keep(&self) -> time::Duration {
        self.settings.keep.try_into().unwrap_or(time::Duration::WEEK)
    }

    /// Most events that are kept of a provider.
    pub(super) const fn most_events(&self) -> u32 {
        self.settings.max_events
    }

    pub(super) const fn takes_body(&self, bytes: usize) -> bool {
        bytes <= self.settings.max_bytes
    }

    /// A turn to store a call; `None` if too many are under way.
    pub(super) fn start(&self, provider: &str) -> Option<InFlightGuard<String>> {
        self.in_flight.start(provider.to_owned(), MOST_CALLS)
    }

    /// Whether one more event of a provider is taken in this minute.
    pub(super) fn takes_one_more(&self, provider: &str, now: Instant) -> bool {
        let bucket = self.rate(provider, |rate| rate.bucket.clone());
        bucket.take(now).is_some()
    }

    /// Whether the oldest events of a provider are to be removed now: not each time, since that
    /// looks at as many rows as are kept.
    pub(super) fn is_time_to_trim(&self, provider: &str, stored: usize) -> bool {
        let between = (self.settings.max_events / 20).min(500);
        let stored = u32::try_from(stored).unwrap_or(u32::MAX);
        self.rate(provider, |rate| {
            rate.since_trim = rate.since_trim.saturating_add(stored);
            let is_time = rate.since_trim > between;
            if is_time {
                rate.since_trim = 0;
            }
            is_time
        })
    }

    fn rate<T>(&self, provider: &str, run: impl FnOnce(&mut Rate) -> T) -> T {
        let mut rates = self.rates.lock();
        if let Some(rate) = rates.get_mut(provider) {
            return run(rate);
        }
        let per_minute = self.settings.max_per_minute.max(1);
        let bucket = TokenBucket::new(per_minute, Duration::from_secs(60) / per_minute);
        let rate = Rate { bucket: Arc::new(bucket), since_trim: 0 };
        run(rates.entry(provider.to_owned()).or_insert(rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(max_events: u32, max_per_minute: u32) -> InboxLimits {
        InboxLimits::new(config::Inbox { max_events, max_per_minute, ..config::Inbox::default() })
    }

    #[test]
    fn so_many_events_of_a_provider_come_in_a_minute_and_others_are_not_held_up() {
        let (limits, now) = (limits(10, 3), Instant::now());
        let taken = |provider: &str, seconds| limits.takes_one_more(provider, now + Duration::from_secs(seconds));
        assert_eq!([taken("a", 0), taken("a", 0), taken("a", 1), taken("a", 2)], [true, true, true, false]);
        assert!(taken("b", 2));
        assert_eq!([taken("a", 20), taken("a", 20)], [true, false], "one each twenty seconds");
    }

    #[test]
    fn the_oldest_are_removed_each_time_of_few_and_seldom_of_many() {
        let of_few = limits(10, 3);
        assert!(of_few.is_time_to_trim("a", 1) && of_few.is_time_to_trim("a", 1));
        let of_many = limits(10_000, 3);
        let times = (0..2004).filter(|_| of_many.is_time_to_trim("a", 1)).count();
        assert_eq!(times, 4);
    }

    #[test]
    fn so_many_calls_of_a_provider_are_stored_at_once() {
        let limits = limits(10, 3);
        let turns: Vec<_> = (0..MOST_CALLS).filter_map(|_| limits.start("a")).collect();
        assert!(turns.len() == MOST_CALLS && limits.start("a").is_none() && limits.start("b").is_some());
    }
}
