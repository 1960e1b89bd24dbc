//! How far a transaction has come that its caller may stop waiting for.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use crate::unavailable::Effect;

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const COMMITTING: u8 = 2;
const ABANDONED: u8 = 3;

/// How far a transaction has come. The thread that runs it and the caller that waits for it agree
/// on what is abandoned: a transaction is committed only if nobody was told that it is not.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<AtomicU8>);

impl Progress {
    /// Begins to run. False if it was abandoned: then nothing may be done.
    pub(crate) fn start(&self) -> bool {
        self.step(WAITING, RUNNING)
    }

    /// Is about to be committed, or was so before. False if it was abandoned: then it is rolled
    /// back.
    pub(crate) fn commit(&self) -> bool {
        self.step(RUNNING, COMMITTING) || self.0.load(Ordering::SeqCst) == COMMITTING
    }

    /// Nobody waits for it any more. Returns what the caller may be told of it.
    pub(crate) fn abandon(&self) -> Effect {
        let is_stopped = self.step(WAITING, ABANDONED) || self.step(RUNNING, ABANDONED);
        if is_stopped || self.0.load(Ordering::SeqCst) == ABANDONED { Effect::NotDone } else { Effect::Unknown }
    }

    fn step(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_abandoned_before_its_commit_is_not_committed() {
        let progress = Progress::default();
        assert!(progress.start());
        assert_eq!(progress.abandon(), Effect::NotDone);
        assert!(!progress.commit());
        let waiting = Progress::default();
        assert_eq!((waiting.abandon(), waiting.start()), (Effect::NotDone, false));
    }

    #[test]
    fn what_is_abandoned_in_its_commit_may_be_stored() {
        let progress = Progress::default();
        assert!(progress.start() && progress.commit());
        assert_eq!(progress.abandon(), Effect::Unknown);
    }
}
