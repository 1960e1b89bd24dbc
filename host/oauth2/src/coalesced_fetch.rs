//! A document of an issuer, kept for a while: fetched once for all who ask, and used over an
//! outage.
//!
//! Ours, and not the cache `moka`: an entry must outlive its time, because an old document is
//! better than none while the issuer is down, and it expires by the host's [clock], which tests
//! set. That would leave `moka` only the sharing of one fetch, which [`SingleFlight`] does.
//!
//! [clock]: jackfield_config::clock

use std::sync::Arc;

use jackfield_limits::SingleFlight;
use parking_lot::Mutex;
use time::{Duration, OffsetDateTime};

use super::metadata::DiscoveryError;

/// How long a document is fresh.
const LIFETIME: Duration = Duration::hours(1);
/// How long a stale document is used before an issuer that was down is asked again.
const OUTAGE: Duration = Duration::minutes(1);

type Fetched<T> = Result<Arc<T>, Arc<DiscoveryError>>;

/// Something that one fetch brings for all who wait. They share a failure too: waiting one after
/// the other for an issuer that hangs could take hours.
pub(super) struct CoalescedFetch<T> {
    entry: Arc<Mutex<CacheEntry<T>>>,
    fetches: SingleFlight<(), Fetched<T>>,
}

/// What was fetched last.
pub(super) struct CacheEntry<T> {
    value: Option<Arc<T>>,
    fresh_until: OffsetDateTime,
}

impl<T: Send + Sync + 'static> CoalescedFetch<T> {
    /// What is known; fetched if that is not fresh.
    pub(super) async fn get<F>(&self, now: OffsetDateTime, fetch: F) -> Result<Arc<T>, DiscoveryError>
    where
        F: Future<Output = Result<T, DiscoveryError>> + Send + 'static,
    {
        match self.fresh(now) {
            Some(value) => Ok(value),
            None => self.refetch(now, fetch).await,
        }
    }

    /// What is known, if it is fresh.
    pub(super) fn fresh(&self, now: OffsetDateTime) -> Option<Arc<T>> {
        self.entry.lock().fresh(now)
    }

    /// Fetches, also if what is known is fresh.
    pub(super) async fn refetch<F>(&self, now: OffsetDateTime, fetch: F) -> Result<Arc<T>, DiscoveryError>
    where
        F: Future<Output = Result<T, DiscoveryError>> + Send + 'static,
    {
        let entry = self.entry.clone();
        let run = async move {
            let fetched = fetch.await;
            entry.lock().update(now, fetched).map_err(Arc::new)
        };
        self.fetches.run((), run).await?.map_err(DiscoveryError::Shared)
    }
}

impl<T> CacheEntry<T> {
    fn fresh(&self, now: OffsetDateTime) -> Option<Arc<T>> {
        self.value.clone().filter(|_| now < self.fresh_until)
    }

    /// Takes what a fetch brought, or keeps the old over an outage.
    fn update(&mut self, now: OffsetDateTime, fetched: Result<T, DiscoveryError>) -> Result<Arc<T>, DiscoveryError> {
        match (fetched, &self.value) {
            (Ok(fetched), _) => {
                self.fresh_until = now + LIFETIME;
                Ok(self.value.insert(Arc::new(fetched)).clone())
            }
            (Err(error), Some(old)) => {
                tracing::warn!(%error, "a request to an issuer failed; its last answer is used");
                self.fresh_until = now + OUTAGE;
                Ok(old.clone())
            }
            (Err(error), None) => Err(error),
        }
    }
}

impl<T> Default for CoalescedFetch<T> {
    fn default() -> Self {
        Self { entry: Arc::default(), fetches: SingleFlight::default() }
    }
}

impl<T> Default for CacheEntry<T> {
    fn default() -> Self {
        Self { value: None, fresh_until: OffsetDateTime::UNIX_EPOCH }
    }
}

#[cfg(test)]
impl<T> CoalescedFetch<T> {
    pub(super) fn set(&self, value: T, fresh_until: OffsetDateTime) {
        *self.entry.lock() = CacheEntry { value: Some(Arc::new(value)), fresh_until };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn at(minutes: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::days(1) + Duration::minutes(minutes)
    }

    async fn got(known: &CoalescedFetch<u8>, minutes: i64, fetched: Option<u8>) -> Option<u8> {
        let fetch = async move { fetched.ok_or_else(|| DiscoveryError::NoMetadata("it is down".to_owned())) };
        known.get(at(minutes), fetch).await.ok().map(|value| *value)
    }

    #[tokio::test]
    async fn a_document_is_kept_for_an_hour_and_over_an_outage() {
        let known = CoalescedFetch::default();
        assert_eq!(got(&known, 0, None).await, None, "nothing was ever known");
        assert_eq!(got(&known, 0, Some(1)).await, Some(1));
        assert_eq!(got(&known, 59, Some(2)).await, Some(1));
        assert_eq!(got(&known, 60, None).await, Some(1), "the issuer is down");
        assert_eq!(got(&known, 60, Some(2)).await, Some(1), "and left alone for a minute");
        assert_eq!(got(&known, 61, Some(3)).await, Some(3));
    }

    #[tokio::test]
    async fn callers_that_wait_share_a_failure_and_a_later_caller_fetches_again() {
        let (known, requests) = (CoalescedFetch::<u8>::default(), Arc::new(AtomicUsize::new(0)));
        let fetch = |result: Option<u8>| {
            let requests = requests.clone();
            async move {
                requests.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                result.ok_or_else(|| DiscoveryError::NoMetadata("it hangs".to_owned()))
            }
        };
        let all = futures_util::future::join_all((0..5).map(|_| known.get(at(0), fetch(None)))).await;
        let said: Vec<String> = all.into_iter().filter_map(|got| got.err().map(|error| error.to_string())).collect();
        assert_eq!(said, ["the issuer has no metadata: it hangs"; 5]);
        assert_eq!(requests.load(Ordering::Relaxed), 1, "it was asked once for all");
        assert_eq!(known.get(at(0), fetch(Some(1))).await.ok().as_deref(), Some(&1));
        assert_eq!(requests.load(Ordering::Relaxed), 2);
    }
}
