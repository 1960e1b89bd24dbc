//! How long nothing has moved in an exchange.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};

use super::OutboundError;

/// How long nothing has moved in either direction. Clones watch the same exchange.
#[derive(Clone)]
pub(super) struct IdleTimer {
    last_moved: Arc<Mutex<Instant>>,
    limit: Duration,
}

/// Waits until nothing has moved for too long. It holds one timer, however often the exchange
/// moves, and none before it first has to wait.
pub(super) struct Expiry {
    timer: IdleTimer,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl IdleTimer {
    pub(super) fn new(limit: Duration) -> Self {
        Self { last_moved: Arc::new(Mutex::new(Instant::now())), limit }
    }

    pub(super) fn restart(&self) {
        *self.last_moved.lock() = Instant::now();
    }

    fn deadline(&self) -> Instant {
        *self.last_moved.lock() + self.limit
    }
}

impl Expiry {
    pub(super) const fn new(timer: IdleTimer) -> Self {
        Self { timer, sleep: None }
    }

    pub(super) fn restart(&self) {
        self.timer.restart();
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<OutboundError> {
        let deadline = self.timer.deadline();
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        loop {
            ready!(sleep.as_mut().poll(context));
            let deadline = self.timer.deadline();
            if deadline <= Instant::now() {
                return Poll::Ready(OutboundError::Idle(self.timer.limit));
            }
            sleep.as_mut().reset(deadline);
        }
    }
}
