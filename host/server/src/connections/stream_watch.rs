//! Whether the client takes the answer of one stream of HTTP/2.
//!
//! A client may read its connection and yet let no byte of one answer through: each stream has a
//! window. So each answer is timed for itself, and only its stream ends.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::pace::{BEHIND, worth};

/// How often it is looked whether a client has to take something.
const TICK: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// The watch of the stream that the task answers.
    pub(super) static STREAM: std::sync::Arc<StreamWatch>;
}

/// Counts the time that the client has not taken what was handed over.
#[derive(Default)]
pub(super) struct StreamWatch(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    behind: Duration,
    /// What the client has to take, and since when.
    handed_over: Option<(Instant, usize)>,
}

impl StreamWatch {
    /// The client has to take so many bytes.
    pub(super) fn hand_over(&self, bytes: usize) {
        self.0.lock().handed_over = Some((Instant::now(), bytes));
    }

    /// The client has taken all, and more can go.
    pub(super) fn is_taken(&self) {
        let mut taken = self.0.lock();
        if let Some((since, bytes)) = taken.handed_over.take() {
            taken.behind = (taken.behind + since.elapsed()).saturating_sub(worth(bytes));
        }
    }

    /// Returns once the client has been too slow.
    pub(super) async fn too_slow(&self) {
        loop {
            match self.patience() {
                None => sleep(TICK).await,
                Some(Duration::ZERO) => return,
                Some(left) => sleep(left).await,
            }
        }
    }

    /// How long the client may still take; `None` while nothing is to be taken.
    fn patience(&self) -> Option<Duration> {
        let taken = self.0.lock();
        let (since, _) = taken.handed_over?;
        Some(BEHIND.saturating_sub(taken.behind + since.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lasts(bytes: usize, interval: u64) -> Option<u64> {
        let (watch, began) = (StreamWatch::default(), Instant::now());
        while began.elapsed() < Duration::from_secs(600) {
            watch.hand_over(bytes);
            if tokio::time::timeout(Duration::from_secs(interval), watch.too_slow()).await.is_ok() {
                return Some(began.elapsed().as_secs());
            }
            watch.is_taken();
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_that_stays_shut_is_too_slow_and_one_that_opens_is_not() {
        for (bytes, interval, expected) in
            [(16 << 10, 1000, Some(30)), (100, 5, Some(31)), (1024, 1, None), (16 << 10, 20, None)]
        {
            assert_eq!(lasts(bytes, interval).await, expected, "{bytes} bytes every {interval} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_has_nothing_to_send_is_not_the_clients_fault() {
        let watch = StreamWatch::default();
        watch.hand_over(10);
        watch.is_taken();
        let waited = tokio::time::timeout(Duration::from_secs(1000), watch.too_slow()).await;
        assert!(waited.is_err());
    }
}
