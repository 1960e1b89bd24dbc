//! The threads that hash passwords, and the bounded queue before them.
//!
//! There are no more of them than cores, and each keeps its own block of memory. On the threads of
//! tokio each hash would allocate anew, and the allocator keeps that memory for each thread.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::hash_memory::Memory;

/// Most hashes that wait for somebody who was never here. Where a hash takes 25 ms, the last of
/// them waits less than half a second.
const WAITING_STRANGERS: usize = 32;

/// Most that wait for known devices and for commands. They go first.
const WAITING_KNOWN: usize = 64;

/// Most threads, on however many cores.
const MOST_THREADS: usize = 4;

/// An idle thread ends, and its memory with it.
const IDLE: Duration = Duration::from_secs(5);

/// Who waits for a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Somebody who has logged in before, or the operator.
    Known,
    /// Anybody else.
    Stranger,
}

/// Too many hashes are waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy;

type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// Computes hashes off the async threads.
#[derive(Clone)]
pub(super) struct PasswordQueue(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    most_threads: usize,
}

#[derive(Default)]
struct State {
    known: VecDeque<Job>,
    strangers: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl PasswordQueue {
    /// With as many threads as there are cores, up to a few.
    pub(super) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::with_threads(cores.min(MOST_THREADS))
    }

    fn with_threads(most_threads: usize) -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), arrived: Condvar::new(), most_threads }))
    }

    /// Runs `work` on one of the threads, or answers at once that too many wait.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        urgency: Urgency,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (sender, receiver) = oneshot::channel();
        let job = move |memory: &mut Memory| {
            // Nobody waits any more: the browser has gone.
            if !sender.is_closed() {
                let _ = sender.send(work(memory));
            }
        };
        self.add(urgency, Box::new(job))?;
        receiver.await.map_err(|_| Busy)
    }

    fn add(&self, urgency: Urgency, job: Job) -> Result<(), Busy> {
        let mut state = self.0.state.lock();
        let (queue, most) = match urgency {
            Urgency::Known => (&mut state.known, WAITING_KNOWN),
            Urgency::Stranger => (&mut state.strangers, WAITING_STRANGERS),
        };
        if queue.len() >= most {
            return Err(Busy);
        }
        queue.push_back(job);
        if state.waiting() > state.idle && state.threads < self.0.most_threads {
            state.threads += 1;
            drop(state);
            self.start_thread()
        } else {
            self.0.arrived.notify_one();
            Ok(())
        }
    }

    /// If there can be no thread, those that run do the work. Without any, nobody would.
    fn start_thread(&self) -> Result<(), Busy> {
        let shared = self.0.clone();
        let started = thread::Builder::new().name("passwords".to_owned()).spawn(move || shared.work());
        let Err(error) = started else { return Ok(()) };
        tracing::error!(%error, "no thread to hash passwords on");
        let mut state = self.0.state.lock();
        state.threads -= 1;
        if state.threads == 0 {
            (state.known, state.strangers) = Default::default();
        }
        Ok(())
    }
}

impl Shared {
    fn work(&self) {
        let mut memory = Memory::default();
        while let Some(job) = self.next() {
            if catch_unwind(AssertUnwindSafe(|| job(&mut memory))).is_err() {
                memory = Memory::default();
            }
        }
    }

    /// `None`: there was nothing to do for some time, and this thread is not counted any more.
    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.take() {
                return Some(job);
            }
            if !self.wait(&mut state) && state.waiting() == 0 {
                state.threads -= 1;
                return None;
            }
        }
    }

    /// Whether something may have arrived.
    fn wait(&self, state: &mut MutexGuard<'_, State>) -> bool {
        state.idle += 1;
        let is_late = self.arrived.wait_for(state, IDLE).timed_out();
        state.idle -= 1;
        !is_late
    }
}

impl State {
    fn take(&mut self) -> Option<Job> {
        self.known.pop_front().or_else(|| self.strangers.pop_front())
    }

    fn waiting(&self) -> usize {
        self.known.len() + self.strangers.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Keeps the only thread busy until the sender is dropped.
    fn blocked(queue: &PasswordQueue) -> mpsc::Sender<()> {
        let (release, wait) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        let job: Job = Box::new(move |_| {
            let _ = began.send(());
            let _ = wait.recv();
        });
        queue.add(Urgency::Known, job).expect("it is empty");
        begun.recv().expect("the thread has begun");
        release
    }

    #[tokio::test]
    async fn a_full_queue_answers_at_once_and_known_devices_have_one_of_their_own() {
        let queue = PasswordQueue::with_threads(1);
        let release = blocked(&queue);
        let (told, order) = mpsc::channel();
        let add = |urgency| {
            let told = told.clone();
            queue.add(
                urgency,
                Box::new(move |_| {
                    let _ = told.send(urgency);
                }),
            )
        };
        for _ in 0..WAITING_STRANGERS {
            add(Urgency::Stranger).expect("there is room");
        }
        assert_eq!(add(Urgency::Stranger), Err(Busy));
        assert_eq!(queue.run(Urgency::Stranger, |_| ()).await, Err(Busy));
        add(Urgency::Known).expect("known devices have room");
        drop((release, told));
        let order: Vec<_> = order.iter().collect();
        assert_eq!((order.len(), order[0]), (WAITING_STRANGERS + 1, Urgency::Known), "and go first");
    }

    #[tokio::test]
    async fn there_are_no_more_threads_than_allowed_and_a_panic_costs_none() {
        let queue = PasswordQueue::with_threads(2);
        let hashes = (0..20).map(|n| queue.run(Urgency::Known, move |_| assert_ne!(n, 7, "on purpose")));
        let results = futures_util::future::join_all(hashes).await;
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
        assert!(queue.0.state.lock().threads <= 2);
        assert_eq!(queue.run(Urgency::Stranger, |_| 5).await, Ok(5));
    }
}
