//! How a host is told to stop, and how long its parts may take for it.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

/// How long open requests are waited for.
pub(super) const GRACE: Duration = Duration::from_secs(20);

/// How long a stop takes at most, before what must be written is written: a service manager that
/// waits thirty seconds does not kill the host in the middle of that.
const ALL: Duration = Duration::from_secs(25);

/// How long the parts after the requests have at least.
const LEAST: Duration = Duration::from_secs(5);

/// The request to stop. Clones are of the same.
#[derive(Clone, Default)]
pub struct Stop {
    asked: CancellationToken,
    hurried: CancellationToken,
}

impl Stop {
    /// Asks the host to stop. Asked a second time, it waits for nobody any more.
    pub fn ask(&self) {
        if self.asked.is_cancelled() {
            self.hurried.cancel();
        }
        self.asked.cancel();
    }

    /// Asks the host to stop when a future is ready.
    pub(super) fn when(self, stop: impl Future<Output = ()> + Send + 'static) -> Self {
        let asked = self.clone();
        tokio::spawn(async move {
            stop.await;
            asked.ask();
        });
        self
    }

    /// Waits until the host is to stop.
    pub(super) async fn asked(&self) {
        self.asked.cancelled().await;
    }

    /// Waits until nobody is waited for any more.
    pub(super) async fn hurried(&self) {
        self.hurried.cancelled().await;
    }

    /// For those who watch for the same.
    pub(super) fn token(&self) -> CancellationToken {
        self.asked.clone()
    }
}

/// The time that is left of a stop.
pub(super) struct Patience<'a> {
    stop: &'a Stop,
    until: Instant,
}

impl<'a> Patience<'a> {
    /// Of a stop that began then.
    pub(super) fn since(stop: &'a Stop, began: Instant) -> Self {
        Self { stop, until: (began + ALL).max(Instant::now() + LEAST) }
    }

    /// What comes of a part; `None` if it takes too long, or cannot come to its end.
    pub(super) async fn wait<T>(&self, part: impl Future<Output = T>, hopeless: impl Future) -> Option<T> {
        tokio::select! {
            biased;
            done = timeout_at(self.until.into(), part) => done.ok(),
            _ = hopeless => None,
            () = self.stop.hurried() => None,
        }
    }
}
