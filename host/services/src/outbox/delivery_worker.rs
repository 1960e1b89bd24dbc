//! Delivers events in the background. Each endpoint has a task of its own, so that one which does
//! not answer holds up no other.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::{
    attempt_result::AttemptResult,
    delivery_batch::{self, DeliveryBatch, DueDelivery},
    delivery_request::{DeliveryRequest, LONGEST},
};
use jackfield_outbound::Outbound;
use jackfield_store::{EndpointId, Store, StoreResult, Tx, deliveries, outgoing_events};

/// How often the database is asked what is due: what other hosts have recorded, and what is
/// attempted again.
const INTERVAL: Duration = Duration::from_secs(1);
/// Most endpoints that are delivered to at once.
const MOST_ENDPOINTS: u32 = 256;
/// Most deliveries to one endpoint at once, each of another integration.
const CONCURRENCY: usize = 8;
/// How long deliveries are begun after their lease was taken: an attempt ends before it does.
const BEGUN_WITHIN: Duration = Duration::from_secs(60 - 2 * LONGEST.as_secs());

/// Delivers events to the endpoints of programs. Cheap to clone.
#[derive(Clone)]
pub struct Deliveries {
    store: Store,
    outbound: Outbound,
    /// Endpoints with a task.
    under_way: Arc<Mutex<HashSet<EndpointId>>>,
    places: Arc<Semaphore>,
    is_stopping: Arc<AtomicBool>,
}

/// Frees an endpoint's place when its task ends, however it does.
struct Place {
    of: EndpointId,
    under_way: Arc<Mutex<HashSet<EndpointId>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.under_way.lock().remove(&self.of);
    }
}

impl Deliveries {
    /// Builds the service.
    #[must_use]
    pub fn new(store: Store, outbound: Outbound) -> Self {
        let places = Arc::new(Semaphore::new(MOST_ENDPOINTS as usize));
        Self { store, outbound, under_way: Arc::default(), places, is_stopping: Arc::default() }
    }

    /// Puts the events of a database that was restored from a dump before all that follow. Nothing
    /// reads events before that.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start(&self) -> StoreResult<()> {
        self.store.write(outgoing_events::put_before_new).await
    }

    /// Delivers what is due, until it is dropped. What is under way then comes to its end: see
    /// [`Deliveries::drain`].
    pub async fn run(self) {
        // Where nobody has an endpoint, a recorded event costs no look.
        let mut has_endpoints = true;
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.store.new_events().recorded(), if has_endpoints => {}
            }
            match self.run_once().await {
                Ok(found) => has_endpoints = found,
                Err(error) if error.is_logged() => {}
                Err(error) => tracing::warn!(%error, "events could not be delivered"),
            }
        }
    }

    /// Waits for the deliveries that are under way: a program that has taken one is not sent it
    /// again. No further ones begin.
    pub async fn drain(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        let all = self.places.acquire_many(MOST_ENDPOINTS).await;
        drop(all);
    }

    /// Begins with what is due to each endpoint that nothing is under way to. Returns whether there
    /// are endpoints.
    async fn run_once(&self) -> StoreResult<bool> {
        let most = i64::from(MOST_ENDPOINTS) * 2;
        let look = move |tx: &mut Tx<'_>| {
            let due = deliveries::due_endpoints(tx, most)?;
            let has_endpoints = !due.is_empty() || deliveries::has_endpoints(tx)?;
            Ok((due, has_endpoints))
        };
        let (due, has_endpoints) = self.store.read(look).await?;
        for id in due {
            let Ok(permit) = self.places.clone().try_acquire_owned() else { return Ok(has_endpoints) };
            if !self.under_way.lock().insert(id) {
                continue;
            }
            let (worker, place) = (self.clone(), Place { of: id, under_way: self.under_way.clone() });
            tokio::spawn(async move {
                if let Err(error) = worker.deliver_all(id).await
                    && !error.is_logged()
                {
                    tracing::warn!(endpoint.id = %id, %error, "deliveries of an endpoint came to no end");
                }
                drop((place, permit));
            });
        }
        Ok(has_endpoints)
    }

    /// Delivers to one endpoint until nothing is due.
    async fn deliver_all(&self, id: EndpointId) -> StoreResult<()> {
        while !self.is_stopping.load(Ordering::Relaxed) {
            let taken = Instant::now();
            let Some(batch) = self.store.write(move |tx| delivery_batch::claim(tx, id)).await? else { break };
            self.deliver(batch, taken).await?;
        }
        Ok(())
    }

    async fn deliver(&self, batch: DeliveryBatch, taken: Instant) -> StoreResult<()> {
        let DeliveryBatch { endpoint, secrets, items } = batch;
        let (endpoint, secrets) = (&endpoint, &secrets);
        let groups = stream::iter(of_integrations(items)).map(|group| async move {
            for due in group {
                if taken.elapsed() > BEGUN_WITHIN {
                    self.give_back(due).await?;
                    continue;
                }
                let began = self.store.now();
                let result = match secrets {
                    Some(secrets) => {
                        let request = DeliveryRequest { url: &endpoint.url, secrets, id: &due.id, body: &due.body };
                        request.send(&self.outbound, began).await
                    }
                    None => AttemptResult {
                        error: Some("its secrets cannot be opened: rotate them".to_owned()),
                        ..AttemptResult::default()
                    },
                };
                let (endpoint, of) = (endpoint.clone(), (began, random()));
                let record = move |tx: &mut Tx<'_>| delivery_batch::record(tx, &endpoint, &due, &result, of);
                self.store.write_at_last(record).await?;
            }
            Ok(())
        });
        let mut groups = std::pin::pin!(groups.buffer_unordered(CONCURRENCY));
        let mut ended = Ok(());
        while let Some(group) = groups.next().await {
            ended = ended.and(group);
        }
        ended
    }

    async fn give_back(&self, due: DueDelivery) -> StoreResult<()> {
        self.store.write(move |tx| deliveries::give_back(tx, &due.delivery, due.lease)).await
    }
}

/// Deliveries of one integration stay in their order; those of none wait for nobody.
fn of_integrations(items: Vec<DueDelivery>) -> Vec<Vec<DueDelivery>> {
    let mut groups: Vec<Vec<DueDelivery>> = Vec::new();
    let mut group_of = BTreeMap::new();
    for due in items {
        let index = due.integration.map_or(groups.len(), |id| *group_of.entry(id).or_insert(groups.len()));
        if index == groups.len() {
            groups.push(Vec::new());
        }
        groups[index].push(due);
    }
    groups
}

fn random() -> u32 {
    getrandom::u32().unwrap_or_default()
}
