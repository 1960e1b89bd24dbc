//! How many connections there are at once.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{activity::Activity, file_limit::most_connections};

/// Connections that are closed but not gone yet, at most.
const LEAVING: usize = 32;

/// A bound on the number of connections. When it is reached, those that have waited longest for a
/// request make room: a stranger who opens many and says nothing keeps nobody out.
pub(crate) struct Slots {
    most: usize,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
    next: AtomicU64,
    changed: Arc<Notify>,
}

/// The place of one connection.
pub(super) struct Slot {
    slots: Arc<Slots>,
    number: u64,
    pub(super) activity: Arc<Activity>,
}

impl Slots {
    /// As many as the limit of open files allows.
    pub(crate) fn of_this_process() -> Arc<Self> {
        Self::new(most_connections())
    }

    /// At most so many connections.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default(), next: AtomicU64::new(0), changed: Arc::default() })
    }

    /// Returns once another connection can be accepted.
    pub(super) async fn room(&self) {
        while !self.has_room() {
            self.changed.notified().await;
        }
    }

    fn has_room(&self) -> bool {
        let open = self.open.lock();
        let may_leave = |activity: &Arc<Activity>| !activity.is_closing() && activity.waits_since().is_some();
        open.len() < self.most || open.len() < self.most + LEAVING && open.values().any(may_leave)
    }

    /// Takes a place for a connection.
    pub(super) fn take(self: &Arc<Self>) -> Slot {
        let activity = Arc::new(Activity::new(self.changed.clone()));
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.lock();
        if open.len() >= self.most {
            self.make_room(&open);
        }
        open.insert(number, activity.clone());
        Slot { slots: self.clone(), number, activity }
    }

    /// Several at once, so that a flood does not have all of them looked at for each.
    fn make_room(&self, open: &HashMap<u64, Arc<Activity>>) {
        let staying = open.values().filter(|activity| !activity.is_closing());
        let mut waiting: Vec<_> = staying.filter_map(|activity| Some((activity.waits_since()?, activity))).collect();
        waiting.sort_by_key(|(since, _)| *since);
        waiting.iter().take(1 + self.most / 32).for_each(|(_, activity)| activity.close());
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

    #[tokio::test]
    async fn who_waits_longest_makes_room_and_who_is_answered_stays() {
        let slots = Slots::new(2);
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
        let slots = Slots::new(1);
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
