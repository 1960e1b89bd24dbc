//! The signing key of the issuers, and whether they are down.

use std::{
    collections::HashSet,
    sync::{Mutex, atomic::AtomicBool, atomic::Ordering},
};

use jackfield_stand_in::IssuerKey;

use crate::stand_in::locked;

/// What all issuers of a stand-in share while it runs.
pub(super) struct Issuing {
    pub(super) key: Mutex<IssuerKey>,
    pub(super) assertions: Mutex<HashSet<String>>,
    pub(super) is_down: AtomicBool,
}

impl Default for Issuing {
    fn default() -> Self {
        Self {
            key: Mutex::new(IssuerKey::generate("key-0")),
            assertions: Mutex::default(),
            is_down: AtomicBool::new(false),
        }
    }
}

impl Issuing {
    /// Signs with another key from now on, and publishes only that one.
    pub(super) fn rotate(&self) {
        let mut key = locked(&self.key);
        let number = key.id().trim_start_matches("key-").parse::<u32>().unwrap_or_default();
        *key = IssuerKey::generate(&format!("key-{}", number + 1));
    }

    pub(super) fn go(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }
}
