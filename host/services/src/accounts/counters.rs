//! A map of counters that strangers can add to, bounded in number and so in bytes.

use std::collections::HashMap;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use time::OffsetDateTime;

/// A keyed hash of what is counted: of one length, whatever a stranger sends, and without meaning
/// in a memory dump.
pub(super) type CounterKey = [u8; 16];

/// Makes [`CounterKey`]s. The key lives as long as the process.
pub(super) struct KeyMaker([u8; 32]);

impl KeyMaker {
    pub(super) fn new() -> Self {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("the operating system has a random generator");
        Self(key)
    }

    /// The key of some parts, of which only the last may differ in length.
    pub(super) fn key(&self, parts: &[&[u8]]) -> CounterKey {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        let mac = parts.iter().fold(mac, |mac, part| mac.chain_update(part));
        let bytes = mac.finalize().into_bytes();
        *bytes.first_chunk().expect("SHA-256 has 32 bytes")
    }
}

/// Something that counts, and knows until when it matters.
pub(super) trait Counter: Default {
    /// The later, the longer it is kept.
    fn matters_until(&self) -> Option<OffsetDateTime>;
}

/// Counters by key, at most so many.
pub(super) struct Counters<C> {
    capacity: usize,
    entries: HashMap<CounterKey, C>,
}

impl<C: Counter> Counters<C> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, entries: HashMap::new() }
    }

    pub(super) fn get(&self, key: &CounterKey) -> Option<&C> {
        self.entries.get(key)
    }

    /// The counter of a key, made if there is none.
    pub(super) fn entry(&mut self, key: CounterKey) -> &mut C {
        if !self.entries.contains_key(&key) {
            self.make_room();
        }
        self.entries.entry(key).or_default()
    }

    pub(super) fn get_mut(&mut self, key: &CounterKey) -> Option<&mut C> {
        self.entries.get_mut(key)
    }

    pub(super) fn remove(&mut self, key: &CounterKey) {
        self.entries.remove(key);
    }

    /// Forgets the oldest tenth when it is full. A flood of invented keys must neither grow
    /// without end nor make the host forget all failures.
    fn make_room(&mut self) {
        if self.entries.len() < self.capacity {
            return;
        }
        let mut times: Vec<_> = self.entries.values().map(Counter::matters_until).collect();
        let (_, oldest, _) = times.select_nth_unstable(self.capacity / 10);
        let oldest = *oldest;
        let mut left = self.capacity / 10;
        self.entries.retain(|_, counter| {
            let is_dropped = counter.matters_until() <= oldest && left > 0;
            left -= usize::from(is_dropped);
            !is_dropped
        });
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
