//! Which plugins have not started yet, while the others wait for them.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

/// Which plugins have not started yet. Clones show the same.
#[derive(Clone, Debug, Default)]
pub struct LoadProgress(Arc<Mutex<BTreeMap<String, usize>>>);

/// One that is starting, until this is dropped.
pub(super) struct StartMark {
    progress: LoadProgress,
    entry: String,
}

impl LoadProgress {
    /// The entries of `default-integrations` and `providers.NAME` that are still starting.
    #[must_use]
    pub fn starting(&self) -> Vec<String> {
        self.0.lock().keys().cloned().collect()
    }

    pub(super) fn begin(&self, entry: &str) -> StartMark {
        *self.0.lock().entry(entry.to_owned()).or_default() += 1;
        StartMark { progress: self.clone(), entry: entry.to_owned() }
    }
}

impl Drop for StartMark {
    fn drop(&mut self) {
        let mut starting = self.progress.0.lock();
        let Some(count) = starting.get_mut(&self.entry) else { return };
        *count -= 1;
        if *count == 0 {
            starting.remove(&self.entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_starting_until_its_last_mark_is_dropped() {
        let progress = LoadProgress::default();
        let (one, other) = (progress.begin("acme"), progress.begin("acme"));
        let third = progress.begin("slack");
        drop((one, third));
        assert_eq!(progress.starting(), ["acme"]);
        drop(other);
        assert!(progress.starting().is_empty());
    }
}
