//! One refresh at a time of each grant on this host: who comes while one is under way shares its end.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use super::refresh::Attempt;
use jackfield_store::GrantId;

type Flight = Shared<BoxFuture<'static, Attempt>>;

/// Refreshes under way on this host.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<GrantId, Flight>>);

impl Flights {
    /// Joins the refresh of a grant, or begins one. It goes on when everybody who waits for it goes away: its answer must be written.
    pub(super) async fn join(
        self: &Arc<Self>,
        grant: GrantId,
        begin: impl Future<Output = Attempt> + Send + 'static,
    ) -> Attempt {
        let flight = {
            let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            flights.entry(grant).or_insert_with(|| self.start(grant, begin)).clone()
        };
        flight.await
    }

    /// Waits for the one of a grant that is under way, if there is one.
    pub(super) async fn landed(&self, grant: GrantId) {
        let flight = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&grant).cloned();
        if let Some(flight) = flight {
            flight.await;
        }
    }

    fn start(self: &Arc<Self>, grant: GrantId, begin: impl Future<Output = Attempt> + Send + 'static) -> Flight {
        let flights = self.clone();
        let span = tracing::Span::current();
        let task = tokio::spawn(tracing::Instrument::instrument(
            async move {
                let landing = Landing { flights, grant };
                let attempt = begin.await;
                drop(landing);
                attempt
            },
            span,
        ));
        async move { task.await.unwrap_or_else(|error| Attempt::Broken(error.to_string())) }.boxed().shared()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Takes a flight out of the map, also when it panics.
struct Landing {
    flights: Arc<Flights>,
    grant: GrantId,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.grant);
    }
}
