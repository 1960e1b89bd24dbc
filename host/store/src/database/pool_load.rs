//! How much waits for the pool, and who is refused at once since it would wait in vain.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::unavailable::{Reason, Unavailable};

/// Most requests that wait for each connection, however short they are: each holds memory.
const MOST_FOR_EACH: usize = 256;

/// How often the log says that requests are refused.
const LOG_AGAIN: Duration = Duration::from_secs(60);

/// What waits for the connections of a pool.
pub(super) struct PoolLoad {
    /// Connections.
    size: usize,
    /// How long a request waits at most.
    patience: Duration,
    waiting: AtomicUsize,
    /// For how long a connection is used at a time, on average, in nanoseconds.
    use_nanos: AtomicU64,
    refused: AtomicU64,
    logged_at: Mutex<Option<Instant>>,
}

/// A place among those that wait.
pub(super) struct Place<'a>(&'a PoolLoad);

impl PoolLoad {
    pub(super) fn new(size: usize, patience: Duration) -> Self {
        let (waiting, use_nanos, refused) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Self { size: size.max(1), patience, waiting, use_nanos, refused, logged_at: Mutex::default() }
    }

    /// A place among those that wait.
    ///
    /// # Errors
    /// When it would wait in vain.
    pub(super) fn wait(&self) -> Result<Place<'_>, Unavailable> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Place(self);
        if before < self.most() { Ok(place) } else { Err(self.refuse(before)) }
    }

    /// A connection was used for so long.
    pub(super) fn used(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) / 8;
        // Two that do this at once lose one of both, which an average bears.
        let before = self.use_nanos.load(Ordering::Relaxed);
        self.use_nanos.store((before - before / 8).saturating_add(nanos), Ordering::Relaxed);
    }

    /// Somebody has waited in vain: the connections are used for longer than was known.
    pub(super) fn waited_in_vain(&self) -> Unavailable {
        let waiting = self.waiting.load(Ordering::Relaxed).max(1);
        let nanos = self.patience.as_nanos() * self.size as u128 / waiting as u128;
        self.use_nanos.fetch_max(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.refuse(waiting)
    }

    /// As many as can be served while they wait, but always some: they show when it is over.
    fn most(&self) -> usize {
        let each = u128::from(self.use_nanos.load(Ordering::Relaxed)).max(1);
        let served = usize::try_from(self.patience.as_nanos() / each).unwrap_or(usize::MAX);
        served.clamp(1, MOST_FOR_EACH) * self.size
    }

    fn refuse(&self, waiting: usize) -> Unavailable {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        let mut logged_at = self.logged_at.lock();
        if logged_at.is_none_or(|at| at.elapsed() > LOG_AGAIN) {
            *logged_at = Some(Instant::now());
            let (reason, pool_size) = (Reason::NoConnectionFree, self.size);
            tracing::warn!(
                pool_size,
                waiting,
                refused,
                help = reason.help(),
                "{}: requests are refused",
                reason.words()
            );
        }
        Unavailable::new(Reason::NoConnectionFree, format!("{waiting} wait for {} of them", self.size))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(4);

    /// How many may wait for two connections that were used for so long.
    fn most(uses: &[Duration]) -> usize {
        let load = PoolLoad::new(2, PATIENCE);
        uses.iter().for_each(|time| load.used(*time));
        let places: Vec<_> = std::iter::from_fn(|| load.wait().ok()).collect();
        places.len()
    }

    #[test]
    fn as_many_wait_as_can_be_served_meanwhile() {
        let second = Duration::from_secs(1);
        for (uses, expected) in [
            (vec![], 512),
            (vec![Duration::from_millis(1); 100], 512),
            (vec![Duration::from_millis(100); 100], 80),
            (vec![second; 100], 8),
            (vec![second * 60; 100], 2),
            ([vec![second * 60; 100], vec![Duration::from_millis(1); 200]].concat(), 512),
        ] {
            assert_eq!(most(&uses), expected, "{:?}", uses.last());
        }
    }

    #[test]
    fn who_has_waited_in_vain_shortens_the_queue() {
        let load = PoolLoad::new(2, PATIENCE);
        let places: Vec<_> = (0..400).map(|_| load.wait().ok()).collect();
        assert_eq!(load.waited_in_vain().reason, Reason::NoConnectionFree);
        assert!(load.wait().is_err(), "400 wait, and that was too many");
        drop(places);
        assert!(load.wait().is_ok());
    }
}
