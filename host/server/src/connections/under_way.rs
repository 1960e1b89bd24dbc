//! How many requests are answered at once.
//!
//! A connection of HTTP/1.1 has one, one of HTTP/2 a hundred. So they have a bound beside that of
//! connections, which also bounds what they keep in memory.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::limit_log::LimitLog;

/// Counts the requests of one server.
pub(super) struct UnderWay {
    most: usize,
    now: AtomicUsize,
    log: Arc<LimitLog>,
}

/// One of them, until it is dropped.
pub(super) struct Counted(Arc<UnderWay>);

/// Marks a request that is one too many. It is refused, unless a monitor asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooMany;

impl UnderWay {
    pub(super) fn new(most: usize, log: Arc<LimitLog>) -> Arc<Self> {
        Arc::new(Self { most, now: AtomicUsize::new(0), log })
    }

    /// Counts one more; `None` if as many are under way as may be.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Counted> {
        let counted = Counted(self.clone());
        if self.now.fetch_add(1, Ordering::Relaxed) < self.most {
            return Some(counted);
        }
        self.log.met(&format_args!("{} requests", self.most));
        None
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::limit_log::Limit;

    #[tokio::test]
    async fn one_more_can_begin_when_one_has_ended() {
        let under_way = UnderWay::new(1, LimitLog::new(Limit::Requests, "http"));
        let first = under_way.begin();
        assert!(first.is_some() && under_way.begin().is_none() && under_way.begin().is_none());
        drop(first);
        assert!(under_way.begin().is_some());
    }
}
