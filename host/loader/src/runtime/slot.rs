//! One place for a running plugin, which fills it again when the plugin ends.
//!
//! All who wait for a start wait for the same one, and its failure is told to all of them. Until
//! the next try is due, each caller gets the same answer at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use jackfield_limits::{Backoff, FailurePolicy, Failures, SingleFlight};
use parking_lot::Mutex;

use super::{error::PluginError, running_plugin::RunningPlugin, transport::TransportError};

/// Starts a plugin, for the slot that waits for it.
pub(super) type Start = BoxFuture<'static, Result<RunningPlugin, PluginError>>;

/// The first failure costs no pause: it has cost one setup, and the next need not wait.
const RESTARTS: FailurePolicy = FailurePolicy {
    free: 1,
    backoff: Backoff::new(Duration::from_millis(50), Duration::from_secs(5)),
    forgotten_after: Duration::from_secs(60),
};

/// Room for one running plugin. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Slot(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    starts: SingleFlight<(), Result<Arc<RunningPlugin>, PluginError>>,
    questions: AtomicUsize,
}

#[derive(Default)]
struct State {
    running: Option<Arc<RunningPlugin>>,
    failures: Failures<Instant>,
    /// Why the last start failed, until one succeeds.
    start_error: Option<PluginError>,
}

/// What a slot has to say to somebody with a question.
enum Found {
    Running(Arc<RunningPlugin>),
    /// It cannot be started, and the next try is not due.
    Failed(PluginError),
    /// It is to be started after this pause.
    Empty(Duration),
}

/// A question under way in a slot, until this is dropped.
pub(super) struct QuestionGuard(Slot);

impl Slot {
    /// A slot with a plugin that runs.
    pub(super) fn filled(running: RunningPlugin) -> Self {
        let slot = Self::default();
        slot.0.state.lock().running = Some(Arc::new(running));
        slot
    }

    /// Counts a question while it is under way.
    pub(super) fn begin(&self) -> QuestionGuard {
        self.0.questions.fetch_add(1, Ordering::Relaxed);
        QuestionGuard(self.clone())
    }

    /// How many questions are under way.
    pub(super) fn questions(&self) -> usize {
        self.0.questions.load(Ordering::Relaxed)
    }

    /// The plugin that runs now, if one does.
    pub(super) fn present(&self) -> Option<Arc<RunningPlugin>> {
        self.0.state.lock().running.clone().filter(|running| running.is_live())
    }

    /// The plugin that runs now, or else the one that `start` starts after the pause that earlier
    /// failures cost. `lost` is told once of a plugin that was found to have ended.
    ///
    /// # Errors
    /// When it does not start, or did not a moment ago.
    pub(super) async fn running(
        &self,
        start: impl FnOnce() -> Start,
        lost: impl FnOnce(&PluginError),
    ) -> Result<Arc<RunningPlugin>, PluginError> {
        let pause = match self.look(lost) {
            Found::Running(running) => return Ok(running),
            Found::Failed(error) => return Err(error),
            Found::Empty(pause) => pause,
        };
        let (slot, start) = (self.clone(), start());
        let started = self.0.starts.run((), async move {
            tokio::time::sleep(pause).await;
            slot.fill(start.await)
        });
        started.await.unwrap_or_else(|aborted| Err(TransportError::NoWorker(aborted.to_string()).into()))
    }

    fn look(&self, lost: impl FnOnce(&PluginError)) -> Found {
        let mut state = self.0.state.lock();
        match state.running.take() {
            Some(running) if running.is_live() => {
                state.running = Some(running.clone());
                return Found::Running(running);
            }
            Some(_) => {
                state.fail(None);
                lost(&TransportError::Gone.into());
            }
            None => {}
        }
        let pause = state.failures.wait(RESTARTS, Instant::now());
        match &state.start_error {
            Some(error) if !pause.is_zero() => Found::Failed(error.clone()),
            _ => Found::Empty(pause),
        }
    }

    fn fill(&self, started: Result<RunningPlugin, PluginError>) -> Result<Arc<RunningPlugin>, PluginError> {
        let mut state = self.0.state.lock();
        match started {
            Ok(running) => {
                state.start_error = None;
                Ok(state.running.insert(Arc::new(running)).clone())
            }
            Err(error) => {
                state.fail(Some(error.clone()));
                Err(error)
            }
        }
    }

    /// Takes a plugin out after it has failed; false if it has been taken out before.
    pub(super) fn retire(&self, running: &Arc<RunningPlugin>) -> bool {
        let mut state = self.0.state.lock();
        let is_present = state.running.as_ref().is_some_and(|present| Arc::ptr_eq(present, running));
        if is_present {
            state.running = None;
            state.fail(None);
        }
        is_present
    }
}

impl State {
    fn fail(&mut self, start_error: Option<PluginError>) {
        self.failures.record(RESTARTS, Instant::now());
        self.start_error = start_error;
    }
}

impl Drop for QuestionGuard {
    fn drop(&mut self) {
        self.0.0.questions.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_util::{FutureExt, future::join_all};

    use super::*;

    fn broken() -> PluginError {
        TransportError::NotLoaded("broken".to_owned()).into()
    }

    fn starts_that_fail(counted: &Arc<AtomicUsize>) -> Start {
        let counted = counted.clone();
        async move {
            counted.fetch_add(1, Ordering::Relaxed);
            Err(broken())
        }
        .boxed()
    }

    #[tokio::test]
    async fn all_who_wait_for_a_start_are_told_its_failure() {
        let (slot, starts) = (Slot::default(), Arc::new(AtomicUsize::new(0)));
        let told = join_all((0..20).map(|_| slot.running(|| starts_that_fail(&starts), |_| {}))).await;
        assert!(told.iter().all(Result::is_err));
        assert_eq!(starts.load(Ordering::Relaxed), 1, "one start for all of them");
    }

    #[tokio::test]
    async fn a_start_that_failed_again_is_not_tried_before_its_pause_is_over() {
        let (slot, starts) = (Slot::default(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..20 {
            assert!(slot.running(|| starts_that_fail(&starts), |_| {}).await.is_err());
        }
        assert_eq!(starts.load(Ordering::Relaxed), 2, "the first failure is free");
    }
}
