//! A limit that is met, as the log tells it: one line when that begins and one when it is over,
//! however many connections it concerns.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a limit must not be met until that is over.
const CALM: Duration = Duration::from_secs(30);

/// What can be used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// Places for connections.
    Connections,
    /// Open files of the process or of the system.
    Files,
    /// Requests that are answered at once.
    Requests,
    /// What a client of HTTP/2 may send that asks for nothing, or take back.
    Floods,
    /// The patience with clients that send or take too slowly.
    Slowness,
}

/// What the log says of clients that are cut off.
pub(super) struct ClientLogs {
    pub(super) slow: Arc<LimitLog>,
    pub(super) floods: Arc<LimitLog>,
}

impl ClientLogs {
    pub(super) fn new(server: &'static str) -> Arc<Self> {
        let new = |limit| LimitLog::new(limit, server);
        Arc::new(Self { slow: new(Limit::Slowness), floods: new(Limit::Floods) })
    }
}

/// Logs one limit of one server.
pub(super) struct LimitLog {
    limit: Limit,
    server: &'static str,
    met: Mutex<Option<Met>>,
}

#[derive(Clone, Copy)]
struct Met {
    since: Instant,
    last: Instant,
    times: u64,
}

impl LimitLog {
    /// `server` says in the log which server it is.
    pub(super) fn new(limit: Limit, server: &'static str) -> Arc<Self> {
        Arc::new(Self { limit, server, met: Mutex::default() })
    }

    /// The limit is met. `about` says more, in the first line only.
    pub(super) fn met(self: &Arc<Self>, about: &dyn std::fmt::Display) {
        let now = Instant::now();
        let mut met = self.met.lock();
        if let Some(met) = &mut *met {
            (met.last, met.times) = (now, met.times + 1);
            return;
        }
        *met = Some(Met { since: now, last: now, times: 1 });
        tracing::warn!(server = self.server, detail = %about, "{}", self.limit.begins());
        tokio::spawn(self.clone().watch());
    }

    /// Returns when the limit has not been met for a while.
    async fn watch(self: Arc<Self>) {
        loop {
            let Some(calm) = self.calm_at() else { return };
            tokio::time::sleep_until(calm).await;
            if let Some(Met { since, times, .. }) = self.take_if_calm() {
                let seconds = since.elapsed().as_secs();
                tracing::info!(server = self.server, times, seconds, "{}", self.limit.ends());
                return;
            }
        }
    }

    fn calm_at(&self) -> Option<Instant> {
        self.met.lock().map(|met| met.last + CALM)
    }

    fn take_if_calm(&self) -> Option<Met> {
        self.met.lock().take_if(|met| met.last + CALM <= Instant::now())
    }
}

impl Limit {
    const fn begins(self) -> &'static str {
        match self {
            Self::Connections => {
                "as many connections are open as this host takes (system.max-connections); those that wait longest are closed"
            }
            Self::Files => "no connection can be accepted: too many files are open (ulimit -n, LimitNOFILE)",
            Self::Requests => {
                "as many requests are under way as this host takes (system.max-requests); further ones are answered 503"
            }
            Self::Floods => {
                "clients are cut off that send frames without need, or take back most of their requests (HTTP/2)"
            }
            Self::Slowness => "clients are cut off that send their request, or take their answer, too slowly",
        }
    }

    const fn ends(self) -> &'static str {
        match self {
            Self::Connections => "connections have room again",
            Self::Files => "connections can be accepted again",
            Self::Requests => "requests have room again",
            Self::Floods => "no more clients flood this host with frames",
            Self::Slowness => "no more clients are too slow",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_over_once_it_has_not_been_met_for_a_while() {
        let log = LimitLog::new(Limit::Connections, "http");
        for _ in 0..10 {
            log.met(&"");
            tokio::time::sleep(CALM / 2).await;
        }
        assert_eq!(log.met.lock().map(|met| met.times), Some(10), "all of that is one time");
        tokio::time::sleep(CALM).await;
        assert!(log.met.lock().is_none(), "it is over");
        log.met(&"");
        assert_eq!(log.met.lock().map(|met| met.times), Some(1), "and begins anew");
    }
}
