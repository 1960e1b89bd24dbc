//! What is known of the issuers that providers name: metadata and keys, kept in memory for a while, and over an outage for longer.
//!
//! They are fetched when somebody needs them and not at the start: an issuer that is down must not keep the host from starting.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jackfield_plugin_abi::envelope::OAuth2;
use time::{Duration, OffsetDateTime};
use url::Url;

use super::{
    metadata::{DiscoveryError, Metadata, fetch_keys},
    server::Server,
};
use crate::{
    jose::{KeySet, Signed},
    outbound::Outbound,
};

/// How long what was fetched is taken for true.
const AGE: Duration = Duration::hours(1);
/// How long the old is used before an issuer that was down is asked again.
const OUTAGE: Duration = Duration::minutes(1);
/// Most issuers that are remembered: people may name them, and memory is not theirs to fill.
const MOST: usize = 256;

/// The issuers that are known to this host.
#[derive(Clone, Default)]
pub struct Issuers(Arc<Mutex<HashMap<String, Arc<Issuer>>>>);

/// One issuer. The locks are held while it is asked, so that it is asked once for all who wait.
#[derive(Default)]
pub(super) struct Issuer {
    metadata: tokio::sync::Mutex<Kept<Metadata>>,
    keys: tokio::sync::Mutex<Kept<KeySet>>,
}

/// Something that was fetched, and until when nobody asks again.
struct Kept<T> {
    value: Option<Arc<T>>,
    good_until: OffsetDateTime,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { value: None, good_until: OffsetDateTime::UNIX_EPOCH }
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
        outbound.check_reach(&url).map_err(|error| DiscoveryError::Outbound(issuer.to_owned(), error))?;
        let known = self.known(issuer);
        let metadata = known.metadata.lock().await.get(now, Metadata::fetch(issuer, outbound)).await?;
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
        let mut kept = self.keys.lock().await;
        let is_fresh = kept.value.is_none() || now >= kept.good_until;
        let keys = kept.get(now, fetch_keys(url, outbound)).await?;
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
        let http = crate::config::Http {
            allow_private: Vec::new(),
            timeout: std::time::Duration::from_secs(1),
            max_response_bytes: 1,
            stand_in: None,
        };
        let outbound = Outbound::new(&http).expect("the client builds").within(crate::outbound::Reach::default());
        let issuers = Issuers::default();
        let kept = Kept { value: Some(Arc::new(Metadata::default())), good_until: at(60) };
        *issuers.known("https://a.example").metadata.lock().await = kept;
        let server = issuers.server(&OAuth2::discover("https://a.example"), &outbound, at(0)).await;
        let refused = server.map(drop).expect_err("it is out of reach").to_string();
        assert!(refused.contains("a.example is out of the plugin's reach"), "{refused}");
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
