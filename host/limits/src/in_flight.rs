//! How many of each key are under way.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use parking_lot::Mutex;

/// Counts what is under way for each key. Clones count together.
///
/// A key with nothing under way takes no memory.
///
/// ```
/// let calls = jackfield_limits::InFlight::default();
/// let first = calls.start("slack", 1);
/// assert!(first.is_some() && calls.start("slack", 1).is_none());
/// drop(first);
/// assert!(calls.start("slack", 1).is_some());
/// ```
pub struct InFlight<K>(Arc<Mutex<HashMap<K, usize>>>);

/// One that is under way, until this is dropped.
pub struct InFlightGuard<K: Eq + Hash> {
    counts: InFlight<K>,
    key: K,
}

impl<K: Clone + Eq + Hash> InFlight<K> {
    /// Counts one more for this key; `None` if `limit` of them are under way.
    #[must_use]
    pub fn start(&self, key: K, limit: usize) -> Option<InFlightGuard<K>> {
        let mut counts = self.0.lock();
        let count = counts.get(&key).copied().unwrap_or_default();
        if count >= limit {
            return None;
        }
        counts.insert(key.clone(), count + 1);
        Some(InFlightGuard { counts: self.clone(), key })
    }
}

impl<K: Eq + Hash> Drop for InFlightGuard<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock();
        let Some(count) = counts.get_mut(&self.key) else { return };
        *count -= 1;
        if *count == 0 {
            counts.remove(&self.key);
        }
    }
}

impl<K> Default for InFlight<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K> Clone for InFlight<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_so_many_under_way_and_takes_no_room_from_others() {
        let calls = InFlight::default();
        let held: Vec<_> = (0..2).map(|_| calls.start("one", 2).expect("there is room")).collect();
        assert!(calls.start("one", 2).is_none());
        assert!(calls.start("other", 2).is_some());
        assert!(calls.start("none", 0).is_none());
        drop(held);
        assert!(calls.start("one", 1).is_some());
        assert!(calls.0.lock().is_empty(), "nothing is left of those that are over");
    }

    #[test]
    fn clones_count_together_and_a_limit_can_change() {
        let calls = InFlight::default();
        let mut held: Vec<_> = (0..3).filter_map(|_| calls.clone().start((), 3)).collect();
        assert_eq!(held.len(), 3);
        assert!(calls.start((), 2).is_none(), "a lower limit waits until enough are over");
        held.pop();
        assert!(calls.start((), 3).is_some(), "one out, one in");
    }
}
