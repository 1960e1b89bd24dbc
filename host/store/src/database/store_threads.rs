//! The threads on which statements run: a request waits for them without a thread of its own.
//!
//! Tokio's wake a thread for each piece of work, which on a busy core costs more than the reading.
//! Here a thread that is awake takes what waits before another one is woken. If the threads that
//! are awake do not come back in time, as when a disk stands still, others take over.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::{runtime::Handle, sync::oneshot};

/// After how long it is looked whether the threads that are awake take what waits.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A piece of work.
type Work = Box<dyn FnOnce() + Send>;

/// The threads. They end when this is dropped, each after what it has begun.
pub(super) struct StoreThreads(Arc<Inner>);

struct Inner {
    /// How many there are at most.
    most: usize,
    /// How many are awake at once, as long as they come back.
    awake: usize,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Work>,
    threads: usize,
    /// Those that sleep and were not called.
    idle: usize,
    /// Those that were called and still sleep.
    called: usize,
    /// One that sleeps looks from time to time whether those at work take what waits.
    has_watcher: bool,
    /// How many pieces of work were taken.
    taken: u64,
    is_closing: bool,
}

impl State {
    const fn at_work(&self) -> usize {
        self.threads - self.idle
    }
}

impl StoreThreads {
    /// At most `most` threads, of which `awake` are enough as long as they do not stand still.
    pub(super) fn new(most: usize, awake: usize) -> Self {
        let (most, wake) = (most.max(1), Condvar::new());
        Self(Arc::new(Inner { most, awake: awake.clamp(1, most), state: Mutex::default(), wake }))
    }

    /// Runs a function on one of the threads. The receiver fails if it panics.
    pub(super) fn run<T: Send + 'static>(&self, run: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let runtime = Handle::try_current();
        self.push(Box::new(move || {
            // What it finds wrong with the database, a task watches.
            let _inside = runtime.as_ref().map(Handle::enter);
            if let Ok(result) = catch_unwind(AssertUnwindSafe(run)) {
                // The caller can be gone.
                let _ = sender.send(result);
            }
        }));
        receiver
    }

    fn push(&self, work: Work) {
        let mut state = self.0.state.lock();
        state.waiting.push_back(work);
        let takes = state.at_work() < self.0.awake;
        if !takes && state.has_watcher {
            return;
        }
        match (state.idle, takes) {
            (0, _) => self.add_thread(&mut state, takes),
            (_, true) => {
                (state.idle, state.called) = (state.idle - 1, state.called + 1);
                self.0.wake.notify_one();
            }
            (_, false) => drop(self.0.wake.notify_one()),
        }
    }

    fn add_thread(&self, state: &mut State, takes: bool) {
        if state.threads == self.0.most {
            return;
        }
        let inner = self.0.clone();
        let made = thread::Builder::new().name("store".to_owned()).spawn(move || inner.work(takes));
        match made {
            Ok(_) => state.threads += 1,
            Err(error) if state.threads > 0 => tracing::debug!(%error, "there is no further thread for the database"),
            // Who waits is told that the work has ended without an answer.
            Err(_) => state.waiting.clear(),
        }
    }
}

impl Inner {
    fn work(&self, mut takes: bool) {
        let mut state = self.state.lock();
        while !state.is_closing {
            // The one that falls asleep last looks once more: then nobody is left who would.
            let may_take = takes || state.at_work() <= self.awake;
            let work = if may_take { state.waiting.pop_front() } else { None };
            match work {
                Some(work) => {
                    state.taken += 1;
                    MutexGuard::unlocked(&mut state, work);
                }
                None => takes = self.sleep(&mut state),
            }
        }
    }

    /// Sleeps until there may be work. Returns whether to take it.
    fn sleep(&self, state: &mut MutexGuard<'_, State>) -> bool {
        state.idle += 1;
        let (watches, taken) = (!state.has_watcher && state.at_work() > 0, state.taken);
        if watches {
            state.has_watcher = true;
            self.wake.wait_for(state, LOOK_AGAIN);
            state.has_watcher = false;
        } else {
            self.wake.wait(state);
        }
        if state.called > 0 {
            state.called -= 1;
            return true;
        }
        state.idle -= 1;
        watches && state.taken == taken
    }
}

impl Drop for StoreThreads {
    fn drop(&mut self) {
        self.0.state.lock().is_closing = true;
        self.0.wake.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        sync::{Barrier, mpsc},
    };

    use super::*;

    #[tokio::test]
    async fn a_thread_that_is_awake_takes_what_waits() {
        let threads = StoreThreads::new(8, 1);
        let (go, wait) = mpsc::channel::<()>();
        let first = threads.run(move || wait.recv().is_err());
        let others: Vec<_> = (0..100).map(|_| threads.run(|| thread::current().id())).collect();
        go.send(()).expect("it waits");
        first.await.expect("it has run");
        let mut ids = BTreeSet::new();
        for other in others {
            ids.insert(format!("{:?}", other.await.expect("it has run")));
        }
        assert!(ids.len() <= 2, "the one that is awake, and one that took over: {ids:?}");
    }

    #[tokio::test]
    async fn another_takes_over_where_one_stands_still() {
        let threads = StoreThreads::new(3, 1);
        let (_go, wait) = mpsc::channel::<()>();
        let stuck = threads.run(move || wait.recv().is_err());
        for _ in 0..3 {
            threads.run(|| ()).await.expect("it has run");
        }
        drop(_go);
        stuck.await.expect("it has run");
    }

    #[tokio::test]
    async fn as_many_run_at_once_as_are_asked_for() {
        let (threads, all) = (StoreThreads::new(4, 4), Arc::new(Barrier::new(4)));
        let waiting: Vec<_> =
            (0..4).map(|_| all.clone()).map(|all| threads.run(move || all.wait().is_leader())).collect();
        for one in waiting {
            one.await.expect("it has run");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_work_is_left_behind_while_threads_start_and_fall_asleep() {
        for round in 0..1000_u64 {
            let threads = StoreThreads::new(4, 2);
            for burst in 0..4 {
                let pause = Duration::from_micros((round * 7 + burst * 13) % 40);
                let all: Vec<_> = (0..4).map(|_| threads.run(move || thread::sleep(pause))).collect();
                for one in all {
                    let ended = tokio::time::timeout(Duration::from_secs(20), one).await;
                    ended.expect("somebody takes it").expect("it has run");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_panic_ends_no_thread() {
        let threads = StoreThreads::new(1, 1);
        assert!(threads.run(|| panic!("of a test")).await.is_err());
        assert_eq!(threads.run(|| 7).await, Ok(7));
    }
}
