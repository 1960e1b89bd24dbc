//! Work that is done once while several wait for it.
//!
//! The name is that of Go's `singleflight`. A cache such as `moka` coalesces too, but drops the
//! work with the caller that runs it, and keeps the answer by a clock of its own.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use parking_lot::Mutex;
use thiserror::Error;
use tracing::Instrument;

type Flight<V> = Shared<BoxFuture<'static, Result<V, Aborted>>>;
type Flights<K, V> = Arc<Mutex<HashMap<K, Flight<V>>>>;

/// Runs work once per key: callers that come while it runs share its answer.
///
/// The answer is not kept. A caller that comes after the end starts the work anew.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let lookups = jackfield_limits::SingleFlight::default();
/// let (one, other) = tokio::join!(lookups.run("a", async { 1 }), lookups.run("a", async { 2 }));
/// assert_eq!((one, other), (Ok(1), Ok(1)));
/// # }
/// ```
pub struct SingleFlight<K, V>(Flights<K, V>);

/// The work ended without an answer: it panicked, or the runtime shut down.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the work ended without an answer: {0}")]
pub struct Aborted(Arc<str>);

impl<K, V> SingleFlight<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Joins the work that runs for this key, or starts `work`.
    ///
    /// The work is a task of its own, in the span of the caller that starts it. It runs to its end
    /// even if every caller goes away.
    ///
    /// # Errors
    /// When the work panics or the runtime shuts down.
    pub async fn run(&self, key: K, work: impl Future<Output = V> + Send + 'static) -> Result<V, Aborted> {
        let flight = {
            let mut flights = self.0.lock();
            flights.entry(key.clone()).or_insert_with(|| self.start(key, work)).clone()
        };
        flight.await
    }

    /// Waits for the work that runs for this key; returns at once if there is none.
    pub async fn wait(&self, key: &K) {
        let flight = self.0.lock().get(key).cloned();
        if let Some(flight) = flight {
            let _ = flight.await;
        }
    }

    /// Waits until no work runs, including work that starts meanwhile.
    pub async fn wait_for_all(&self) {
        while let Some(flight) = self.any() {
            let _ = flight.await;
        }
    }

    fn any(&self) -> Option<Flight<V>> {
        self.0.lock().values().next().cloned()
    }

    fn start(&self, key: K, work: impl Future<Output = V> + Send + 'static) -> Flight<V> {
        let landing = Landing { flights: self.0.clone(), key };
        let run = async move {
            // The key is free again before anybody has the answer, so nobody joins work that is
            // over.
            let _landing = landing;
            work.await
        };
        let task = tokio::spawn(run.in_current_span());
        async move { task.await.map_err(|error| Aborted(error.to_string().into())) }.boxed().shared()
    }
}

/// Frees the key, also when the work panics.
struct Landing<K: Eq + Hash, V> {
    flights: Flights<K, V>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        let flight = self.flights.lock().remove(&self.key);
        // Outside the lock: the last handle of a flight drops its answer.
        drop(flight);
    }
}

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Clone for SingleFlight<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn callers_share_the_work_that_is_under_way_and_later_ones_start_it_anew() {
        let (flights, runs) = (SingleFlight::default(), AtomicUsize::new(0));
        let runs: &'static AtomicUsize = Box::leak(Box::new(runs));
        let work = || async move {
            tokio::task::yield_now().await;
            runs.fetch_add(1, Ordering::Relaxed)
        };
        let all = futures_util::future::join_all((0..5).map(|_| flights.run("a", work()))).await;
        assert_eq!(all, [Ok(0), Ok(0), Ok(0), Ok(0), Ok(0)]);
        assert_eq!(flights.run("a", work()).await, Ok(1), "the answer is not kept");
        let (one, other) = tokio::join!(flights.run("a", work()), flights.run("b", work()));
        assert_ne!(one, other, "another key is other work");
    }

    #[tokio::test]
    async fn the_work_goes_on_when_the_caller_that_started_it_goes_away() {
        let flights = SingleFlight::default();
        let (go, gate) = oneshot::channel::<()>();
        let mut first = Box::pin(flights.run((), async { gate.await.is_ok() }));
        assert!(futures_util::poll!(&mut first).is_pending());
        drop(first);
        let second = flights.run((), async { unreachable!("it joins") });
        let mut second = Box::pin(second);
        assert!(futures_util::poll!(&mut second).is_pending());
        go.send(()).expect("the work waits");
        assert_eq!(second.await, Ok(true));
    }

    #[tokio::test]
    async fn work_that_panics_tells_all_who_wait_and_frees_its_key() {
        let flights = SingleFlight::<_, ()>::default();
        let panics = || async { panic!("broken") };
        let (one, other) = tokio::join!(flights.run((), panics()), flights.run((), panics()));
        let error = one.expect_err("it panics").to_string();
        assert!(error.contains("panicked"), "{error}");
        assert!(other.is_err());
        assert_eq!(flights.run((), async {}).await, Ok(()));
    }

    #[tokio::test]
    async fn one_can_wait_for_the_work_of_a_key_and_for_all() {
        let flights = SingleFlight::default();
        flights.wait(&1).await;
        flights.wait_for_all().await;
        let (go, gate) = oneshot::channel::<()>();
        let mut run = Box::pin(flights.run(1, async { gate.await.is_ok() }));
        assert!(futures_util::poll!(&mut run).is_pending());
        let mut waits = [flights.wait(&1).boxed(), flights.wait_for_all().boxed()];
        for wait in &mut waits {
            assert!(futures_util::poll!(wait).is_pending());
        }
        flights.wait(&2).await;
        go.send(()).expect("the work waits");
        futures_util::future::join_all(waits).await;
        assert!(flights.0.lock().is_empty());
        assert_eq!(run.await, Ok(true));
    }
}
