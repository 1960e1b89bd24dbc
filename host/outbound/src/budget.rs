//! What one piece of work may cost the network: so many requests, and so much time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use thiserror::Error;
use tokio::time::Instant;

/// So many requests until some time. Clones count together.
#[derive(Clone, Debug)]
pub struct RequestBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sent: AtomicUsize,
    limit: usize,
    time: Duration,
    end: Instant,
}

/// A piece of work has cost all that it may.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum OverBudget {
    /// It has sent as many requests as it may.
    #[error("more than {0} requests in one visit")]
    Requests(usize),
    /// Its time is over.
    #[error("the visit takes longer than {} s", .0.as_secs())]
    Time(Duration),
}

impl RequestBudget {
    /// For work that begins now.
    #[must_use]
    pub fn new(limit: usize, time: Duration) -> Self {
        Self(Arc::new(Inner { sent: AtomicUsize::new(0), limit, time, end: Instant::now() + time }))
    }

    /// Checks that there is time left, and answers how much.
    ///
    /// # Errors
    /// When there is none.
    pub fn time_left(&self) -> Result<Duration, OverBudget> {
        let left = self.0.end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(OverBudget::Time(self.0.time)) } else { Ok(left) }
    }

    /// Counts one more request. Answers how long it may take.
    pub(super) fn spend(&self) -> Result<Duration, OverBudget> {
        let left = self.time_left()?;
        if self.0.sent.fetch_add(1, Ordering::Relaxed) >= self.0.limit {
            return Err(OverBudget::Requests(self.0.limit));
        }
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_requests_are_sent_and_no_more() {
        let budget = RequestBudget::new(2, Duration::from_secs(60));
        let sent: Vec<_> = (0..3).map(|_| budget.clone().spend().map(drop)).collect();
        assert_eq!(sent, [Ok(()), Ok(()), Err(OverBudget::Requests(2))]);
        assert_eq!(OverBudget::Requests(2).to_string(), "more than 2 requests in one visit");
    }

    #[test]
    fn nothing_is_sent_when_the_time_is_over() {
        let spent = RequestBudget::new(2, Duration::ZERO).spend();
        assert_eq!(spent, Err(OverBudget::Time(Duration::ZERO)));
    }
}
