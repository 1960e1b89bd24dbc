//! How many connections there are at once.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    activity::Activity,
    limit_log::{ClientLogs, Limit, LimitLog},
    under_way::UnderWay,
};

/// Connections that are closed but not gone yet, at most.
const LEAVING: usize = 32;

/// A bound on the number of connections. When it is reached, those that have waited longest for a
/// request make room: a stranger who opens many and says nothing keeps nobody out.
pub(crate) struct Slots {
    bounds: Bounds,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
    next: AtomicU64,
    changed: Arc<Notify>,
    full: Arc<LimitLog>,
    files: Arc<LimitLog>,
    clients: Arc<ClientLogs>,
    requests: Arc<UnderWay>,
}

/// What the connections of a server may take up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// What the server is called in the log.
    pub(crate) server: &'static str,
    /// Most connections at once.
    pub(crate) most: usize,
    /// Most requests at once.
    pub(crate) most_requests: usize,
    /// Longest time between two requests of a connection.
    pub(crate) longest_idle: Duration,
}

/// The place of one connection.
pub(super) struct Slot {
    pub(super) slots: Arc<Slots>,
    number: u64,
    pub(super) activity: Arc<Activity>,
}

impl Slots {
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            open: Mutex::default(),
            next: AtomicU64::new(0),
            changed: Arc::default(),
            full: LimitLog::new(Limit::Connections, bounds.server),
            files: LimitLog::new(Limit::Files, bounds.server),
            clients: ClientLogs::new(bounds.server),
            requests: UnderWay::new(bounds.most_requests, LimitLog::new(Limit::Requests, bounds.server)),
        })
    }

    /// Returns once another connection can be accepted.
    pub(super) async fn room(&self) {
        while !self.has_room() {
            self.is_full();
            self.changed().await;
        }
    }

    /// Returns when a connection has ended, or begins to wait.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn has_room(&self) -> bool {
        let open = self.open.lock();
        let may_leave = |activity: &Arc<Activity>| !activity.is_closing() && activity.waits_since().is_some();
        let most = self.bounds.most;
        open.len() < most || open.len() < most + LEAVING && open.values().any(may_leave)
    }

    /// Takes a place for a connection.
    pub(super) fn take(self: &Arc<Self>) -> Slot {
        let activity = Activity::new(self.bounds.longest_idle, self.changed.clone(), self.clients.clone());
        let activity = Arc::new(activity);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.lock();
        if open.len() >= self.bounds.most {
            self.is_full();
            self.make_room(&open);
        }
        open.insert(number, activity.clone());
        Slot { slots: self.clone(), number, activity }
    }

    /// The requests that are answered.
    pub(super) const fn requests(&self) -> &Arc<UnderWay> {
        &self.requests
    }

    /// The system has no file for another connection.
    pub(super) fn out_of_files(&self, error: &io::Error) {
        self.files.met(error);
        self.make_room(&self.open.lock());
    }

    fn is_full(&self) {
        self.full.met(&format_args!("{} connections", self.bounds.most));
    }

    /// Several at once, so that a flood does not have all of them looked at for each.
    fn make_room(&self, open: &HashMap<u64, Arc<Activity>>) {
        let staying = open.values().filter(|activity| !activity.is_closing());
        let mut waiting: Vec<_> = staying.filter_map(|activity| Some((activity.waits_since()?, activity))).collect();
        waiting.sort_by_key(|(since, _)| *since);
        waiting.iter().take(1 + self.bounds.most / 32).for_each(|(_, activity)| activity.close());
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.open.lock().remove(&self.number);
        self.slots.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn slots(most: usize) -> Arc<Slots> {
        Slots::new(Bounds { server: "http", most, most_requests: most, longest_idle: Duration::from_secs(75) })
    }

    #[tokio::test]
    async fn who_waits_longest_makes_room_and_who_is_answered_stays() {
        let slots = slots(2);
        let (busy, idle) = (slots.take(), slots.take());
        let answered = busy.activity.begin();
        slots.room().now_or_never().expect("the idle one can go");
        let third = slots.take();
        assert!(idle.activity.is_closing() && !busy.activity.is_closing() && !third.activity.is_closing());
        drop(idle);
        let _also_busy = third.activity.begin();
        assert_eq!(slots.room().now_or_never(), None, "both are answered");
        drop(answered);
        slots.room().now_or_never().expect("one of them is not any more");
    }

    #[tokio::test]
    async fn a_place_is_free_when_its_connection_is_gone() {
        let slots = slots(1);
        let first = slots.take();
        let busy = first.activity.begin();
        let waiting = tokio::spawn({
            let slots = slots.clone();
            async move { slots.room().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop((busy, first));
        waiting.await.expect("there is room");
    }
}
