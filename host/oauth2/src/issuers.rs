//! What is known of the issuers that providers name: metadata and keys, kept in memory for a while, and over an outage for longer.
//!
//! They are fetched when somebody needs them and not at the start: an issuer that is down must not keep the host from starting.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use jackfield_plugin_abi::envelope::OAuth2;
use time::{Duration, OffsetDateTime};
use tokio::sync::MutexGuard;
use url::Url;

use super::{
    authorization::asks_for_id_token,
    metadata::{DiscoveryError, Metadata, fetch_keys},
    server::Server,
};
use crate::jose::{KeySet, Signed};
use jackfield_outbound::Outbound;

/// How long what was fetched is taken for true.
const AGE: Duration = Duration::hours(1);
/// How long the old is used before an issuer that was down is asked again.
const OUTAGE: Duration = Duration::minutes(1);
/// Most issuers that are remembered: people may name them, and memory is not theirs to fill.
const MOST: usize = 256;

/// The issuers that are known to this host.
#[derive(Clone, Default)]
pub struct Issuers(Arc<Mutex<HashMap<String, Arc<Issuer>>>>);

/// One issuer, and what it is asked for.
#[derive(Default)]
pub(super) struct Issuer {
    metadata: Asked<Metadata>,
    /// What it says as an OpenID provider, where its metadata leave that out.
    openid: Asked<Metadata>,
    keys: Asked<KeySet>,
}

/// Something that is asked for once for all who wait: the lock is held meanwhile.
struct Asked<T> {
    kept: tokio::sync::Mutex<Kept<T>>,
    /// How often nothing came, and nothing was known.
    failures: AtomicUsize,
}

impl<T> Default for Asked<T> {
    fn default() -> Self {
        Self { kept: tokio::sync::Mutex::default(), failures: AtomicUsize::new(0) }
    }
}

impl<T> Asked<T> {
    async fn get(
        &self,
        now: OffsetDateTime,
        fetch: impl Future<Output = Result<T, DiscoveryError>>,
    ) -> Result<Arc<T>, DiscoveryError> {
        let mut kept = self.turn().await?;
        let got = kept.get(now, fetch).await;
        self.noted(&mut kept, got)
    }

    /// Waits for the one who asks. If that came to nothing, it is so for all who waited: one after the other they would wait for hours for an
    /// issuer that hangs.
    async fn turn(&self) -> Result<MutexGuard<'_, Kept<T>>, DiscoveryError> {
        let before = self.failures.load(Ordering::Acquire);
        let kept = self.kept.lock().await;
        match &kept.failed {
            Some(error) if self.failures.load(Ordering::Acquire) != before => {
                Err(DiscoveryError::Shared(error.clone()))
            }
            _ => Ok(kept),
        }
    }

    fn noted(&self, kept: &mut Kept<T>, got: Result<Arc<T>, DiscoveryError>) -> Result<Arc<T>, DiscoveryError> {
        got.map_err(|error| {
            let error = Arc::new(error);
            kept.failed = Some(error.clone());
            self.failures.fetch_add(1, Ordering::Release);
            DiscoveryError::Shared(error)
        })
    }
}

/// Something that was fetched, and until when nobody asks again.
struct Kept<T> {
    value: Option<Arc<T>>,
    good_until: OffsetDateTime,
    /// What went wrong last while nothing was known.
    failed: Option<Arc<DiscoveryError>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { value: None, good_until: OffsetDateTime::UNIX_EPOCH, failed: None }
    }
}

impl<T> Kept<T> {
    /// What is known, fetched anew when it is too old. An outage keeps the old.
    async fn get(
        &mut self,
        now: OffsetDateTime,
        fetch: impl Future<Output = Result<T, DiscoveryError>>,
    ) -> Result<Arc<T>, DiscoveryError> {
        if let Some(value) = self.value.as_ref().filter(|_| now < self.good_until) {
            return Ok(value.clone());
        }
        match (fetch.await, &self.value) {
            (Ok(fetched), _) => {
                self.good_until = now + AGE;
                Ok(self.value.insert(Arc::new(fetched)).clone())
            }
            (Err(error), Some(old)) => {
                tracing::warn!(%error, "an issuer cannot be asked; what it said before is used");
                self.good_until = now + OUTAGE;
                Ok(old.clone())
            }
            (Err(error), None) => Err(error),
        }
    }
}

impl Issuers {
    /// The authorization server of a provider, with what its issuer says where the provider says nothing. What the provider or its operator
    /// has set wins. Without an issuer, it is as the provider says.
    ///
    /// # Errors
    /// When the issuer cannot be asked, or does not say what is needed.
    pub async fn server(
        &self,
        oauth2: &OAuth2,
        outbound: &Outbound,
        now: OffsetDateTime,
    ) -> Result<Server, DiscoveryError> {
        let Some(issuer) = oauth2.issuer.as_deref().filter(|issuer| !issuer.is_empty()) else {
            return Ok(Server::without_issuer(oauth2, outbound));
        };
        // What is kept was fetched for others, perhaps: it opens nothing to who may not ask there.
        let url = Url::parse(issuer).map_err(|_| DiscoveryError::Issuer(issuer.to_owned()))?;
        outbound.check_host(&url).map_err(|error| DiscoveryError::Outbound(issuer.to_owned(), error))?;
        let known = self.known(issuer);
        let mut metadata = known.metadata.get(now, Metadata::fetch(issuer, outbound)).await?;
        if metadata.lacks_openid(asks_for_id_token(oauth2), oauth2.userinfo) {
            match known.openid.get(now, Metadata::fetch_openid(issuer, outbound)).await {
                Ok(openid) => metadata = Arc::new(metadata.filled_from(&openid)),
                Err(error) => {
                    tracing::warn!(issuer, %error, "an issuer does not say all of itself; what it says is used")
                }
            }
        }
        Server::of_issuer(oauth2, outbound, known, &metadata)
    }

    fn known(&self, issuer: &str) -> Arc<Issuer> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(issuer) {
            known.clear();
        }
        known.entry(issuer.to_owned()).or_default().clone()
    }
}

impl Issuer {
    /// The keys with which to verify a signed text. A key that is not known may be new: then they are fetched once more.
    pub(super) async fn keys(
        &self,
        url: &str,
        signed: &Signed<'_>,
        outbound: &Outbound,
        now: OffsetDateTime,
    ) -> Result<Arc<KeySet>, DiscoveryError> {
        let mut kept = self.keys.turn().await?;
        let is_fresh = kept.value.is_none() || now >= kept.good_until;
        let got = kept.get(now, fetch_keys(url, outbound)).await;
        let keys = self.keys.noted(&mut kept, got)?;
        if is_fresh || signed.has_key(&keys) {
            return Ok(keys);
        }
        kept.good_until = OffsetDateTime::UNIX_EPOCH;
        kept.get(now, fetch_keys(url, outbound)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::days(1) + Duration::minutes(minutes)
    }

    async fn got(kept: &mut Kept<u8>, minutes: i64, fetched: Option<u8>) -> Option<u8> {
        let fetch = async { fetched.ok_or_else(|| DiscoveryError::NoMetadata("it is down".to_owned())) };
        kept.get(at(minutes), fetch).await.ok().map(|value| *value)
    }

    #[tokio::test]
    async fn what_was_fetched_is_kept_for_an_hour_and_over_an_outage() {
        let mut kept = Kept::default();
        assert_eq!(got(&mut kept, 0, None).await, None, "nothing was ever known");
        assert_eq!(got(&mut kept, 0, Some(1)).await, Some(1));
        assert_eq!(got(&mut kept, 59, Some(2)).await, Some(1));
        assert_eq!(got(&mut kept, 60, None).await, Some(1), "the issuer is down");
        assert_eq!(got(&mut kept, 60, Some(2)).await, Some(1), "and left alone for a minute");
        assert_eq!(got(&mut kept, 61, Some(3)).await, Some(3));
    }

    #[tokio::test]
    async fn what_was_fetched_for_one_provider_opens_nothing_to_another_that_may_not_ask_there() {
        let http = jackfield_config::Http {
            allow_private: Vec::new(),
            timeout: std::time::Duration::from_secs(1),
            max_response_bytes: 1,
            stand_in: None,
        };
        let outbound =
            Outbound::new(&http).expect("the client builds").limited_to(jackfield_outbound::HostAllowList::default());
        let issuers = Issuers::default();
        let kept = Kept { value: Some(Arc::new(Metadata::default())), good_until: at(60), failed: None };
        *issuers.known("https://a.example").metadata.kept.lock().await = kept;
        let server = issuers.server(&OAuth2::discover("https://a.example"), &outbound, at(0)).await;
        let refused = server.map(drop).expect_err("it is out of reach").to_string();
        assert!(refused.contains("a.example is not among the plugin's allowed hosts"), "{refused}");
    }

    #[tokio::test]
    async fn those_who_waited_for_an_issuer_that_hangs_share_its_failure_and_who_comes_later_asks_again() {
        let (asked, requests) = (Asked::<u8>::default(), AtomicUsize::new(0));
        let count = &requests;
        let fetch = |result: Option<u8>| async move {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            result.ok_or_else(|| DiscoveryError::NoMetadata("it hangs".to_owned()))
        };
        let all = futures_util::future::join_all((0..5).map(|_| asked.get(at(0), fetch(None)))).await;
        let said: Vec<String> = all.into_iter().filter_map(|got| got.err().map(|error| error.to_string())).collect();
        assert_eq!(said, ["the issuer has no metadata: it hangs"; 5]);
        assert_eq!(requests.load(Ordering::Relaxed), 1, "it was asked once for all");
        assert_eq!(asked.get(at(0), fetch(Some(1))).await.ok().as_deref(), Some(&1));
        assert_eq!(requests.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn people_cannot_fill_the_memory_with_issuers() {
        let issuers = Issuers::default();
        for number in 0..MOST + 10 {
            issuers.known(&number.to_string());
        }
        assert!(issuers.0.lock().expect("nobody panicked").len() <= MOST);
    }
}
