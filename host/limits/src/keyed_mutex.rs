//! A lock for each key, which exists only while somebody holds it or waits for it.

use std::{
    collections::HashMap,
    hash::Hash,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

type Locks<K, V> = Arc<Mutex<HashMap<K, Arc<AsyncMutex<V>>>>>;

/// A fair lock for each key, with a value that one holder can leave to those that wait.
///
/// The value starts as its default. It is forgotten as soon as nobody holds the lock or waits for
/// it, so the memory is bounded by what is under way. For locks alone, leave `V` out.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let last = jackfield_limits::KeyedMutex::<&str, u32>::default();
/// let mut guard = last.lock("a").await;
/// *guard = 7;
/// drop(guard);
/// assert_eq!(*last.lock("a").await, 0, "nobody waited for it");
/// # }
/// ```
pub struct KeyedMutex<K, V = ()>(Locks<K, V>);

/// Holds the lock of a key until it is dropped.
pub struct KeyedGuard<K: Eq + Hash, V = ()> {
    // Dropped first: only then may the claim find that nobody is left.
    guard: OwnedMutexGuard<V>,
    claim: Claim<K, V>,
}

impl<K: Clone + Eq + Hash, V: Default> KeyedMutex<K, V> {
    /// Waits for the lock of a key. Callers get it in the order in which they came.
    pub async fn lock(&self, key: K) -> KeyedGuard<K, V> {
        // Made before it waits, so that a caller that goes away leaves nothing behind.
        let claim = Claim { lock: self.0.lock().entry(key.clone()).or_default().clone(), locks: self.0.clone(), key };
        KeyedGuard { guard: claim.lock.clone().lock_owned().await, claim }
    }
}

/// Keeps the value of a key for whoever locks it next, without holding the lock.
pub struct KeptValue<K: Eq + Hash, V> {
    _claim: Claim<K, V>,
}

impl<K: Clone + Eq + Hash, V> KeyedGuard<K, V> {
    /// Keeps the value until this is dropped.
    #[must_use]
    pub fn keep(&self) -> KeptValue<K, V> {
        let Claim { locks, key, lock } = &self.claim;
        KeptValue { _claim: Claim { locks: locks.clone(), key: key.clone(), lock: lock.clone() } }
    }
}

/// Somebody who holds the lock or waits for it. The last one removes it.
struct Claim<K: Eq + Hash, V> {
    locks: Locks<K, V>,
    key: K,
    lock: Arc<AsyncMutex<V>>,
}

impl<K: Eq + Hash, V> Drop for Claim<K, V> {
    fn drop(&mut self) {
        let mut locks = self.locks.lock();
        // The map's and this one: claims are made under the same lock, so no other can appear.
        if Arc::strong_count(&self.lock) == 2 {
            locks.remove(&self.key);
        }
    }
}

impl<K: Eq + Hash, V> Deref for KeyedGuard<K, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.guard
    }
}

impl<K: Eq + Hash, V> DerefMut for KeyedGuard<K, V> {
    fn deref_mut(&mut self) -> &mut V {
        &mut self.guard
    }
}

impl<K, V> Default for KeyedMutex<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Clone for KeyedMutex<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_held_by_one_and_others_do_not_wait() {
        let locks = KeyedMutex::<u8>::default();
        let held = locks.lock(1).await;
        let mut waiting = Box::pin(locks.lock(1));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(locks.lock(2).await);
        drop(held);
        drop(waiting.await);
        assert!(locks.0.lock().is_empty());
    }

    #[tokio::test]
    async fn a_value_reaches_those_who_waited_and_nobody_later() {
        let locks = KeyedMutex::<u8, Option<&str>>::default();
        let mut held = locks.lock(1).await;
        let mut waiting = Box::pin(locks.lock(1));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        *held = Some("the answer");
        drop(held);
        let held = waiting.await;
        assert_eq!(*held, Some("the answer"));
        drop(held);
        assert_eq!(*locks.lock(1).await, None);
    }

    #[tokio::test]
    async fn a_kept_value_reaches_those_who_come_later() {
        let locks = KeyedMutex::<u8, u8>::default();
        let mut held = locks.lock(1).await;
        *held = 7;
        let kept = held.keep();
        drop(held);
        assert_eq!(*locks.lock(1).await, 7);
        drop(kept);
        assert_eq!(*locks.lock(1).await, 0);
    }

    #[tokio::test]
    async fn a_waiter_that_goes_away_leaves_nothing_behind() {
        let locks = KeyedMutex::<u8>::default();
        let held = locks.lock(1).await;
        let mut waiting = Box::pin(locks.lock(1));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(held);
        assert_eq!(locks.0.lock().len(), 1, "somebody waits");
        drop(waiting);
        assert!(locks.0.lock().is_empty());
    }
}
