//! The issuers that providers name.
//!
//! Their metadata are fetched when they are needed and not at the start: an issuer that is down
//! must not keep the host from starting.

use std::{collections::HashMap, sync::Arc};

use jackfield_outbound::Outbound;
use jackfield_plugin_abi::envelope::OAuth2;
use parking_lot::Mutex;
use time::OffsetDateTime;
use url::Url;

use super::{issuer::Issuer, metadata::DiscoveryError, server::AuthorizationServer};

/// Most issuers that are remembered: people can name them, and must not fill the memory. Each has
/// three documents at most.
const CAPACITY: usize = 256;

/// Longest identifier of an issuer, in bytes.
const LONGEST_ID: usize = 2048;

/// The issuers that this host knows. Clones share them.
#[derive(Clone, Default)]
pub struct Issuers(Arc<Mutex<HashMap<String, Arc<Issuer>>>>);

impl Issuers {
    /// The authorization server of a provider. What the provider or its operator leaves out is
    /// taken from the issuer, if there is one.
    ///
    /// # Errors
    /// When the request to the issuer fails, or its metadata lack what is needed.
    pub async fn server(
        &self,
        oauth2: &OAuth2,
        outbound: &Outbound,
        now: OffsetDateTime,
    ) -> Result<AuthorizationServer, DiscoveryError> {
        let Some(id) = oauth2.issuer.as_deref().filter(|id| !id.is_empty()) else {
            return Ok(AuthorizationServer::without_issuer(oauth2, outbound));
        };
        check_host(id, outbound)?;
        let issuer = self.issuer(id);
        let metadata = issuer.metadata(oauth2, outbound, now).await?;
        AuthorizationServer::with_issuer(oauth2, outbound, issuer, metadata)
    }

    fn issuer(&self, id: &str) -> Arc<Issuer> {
        let mut issuers = self.0.lock();
        if issuers.len() >= CAPACITY && !issuers.contains_key(id) {
            issuers.clear();
        }
        issuers.entry(id.to_owned()).or_insert_with(|| Arc::new(Issuer::new(id))).clone()
    }
}

/// Metadata may have been fetched for another provider. A provider that may not contact the issuer
/// must not get them from memory either.
fn check_host(id: &str, outbound: &Outbound) -> Result<(), DiscoveryError> {
    if id.len() > LONGEST_ID {
        return Err(DiscoveryError::Issuer(id.chars().take(80).collect()));
    }
    let url = Url::parse(id).map_err(|_| DiscoveryError::Issuer(id.to_owned()))?;
    outbound.check_host(&url).map_err(|error| DiscoveryError::Outbound(id.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use jackfield_config::Http;
    use jackfield_outbound::HostAllowList;
    use time::Duration;

    use super::*;
    use crate::metadata_document::Metadata;

    #[tokio::test]
    async fn a_provider_that_may_not_contact_an_issuer_gets_nothing_from_memory() {
        let http = Http {
            allow_private: Vec::new(),
            timeout: std::time::Duration::from_secs(1),
            max_response_bytes: 1,
            stand_in: None,
        };
        let outbound = Outbound::new(&http).expect("the client builds").limited_to(HostAllowList::default());
        let (issuers, now) = (Issuers::default(), OffsetDateTime::UNIX_EPOCH);
        issuers.issuer("https://a.example").set_metadata(Metadata::default(), now + Duration::HOUR);
        let server = issuers.server(&OAuth2::discover("https://a.example"), &outbound, now).await;
        let refused = server.map(drop).expect_err("its host is not allowed").to_string();
        assert!(refused.contains("a.example is not among the plugin's allowed hosts"), "{refused}");
    }

    #[test]
    fn people_cannot_fill_the_memory_with_issuers() {
        let issuers = Issuers::default();
        for number in 0..CAPACITY + 10 {
            issuers.issuer(&number.to_string());
        }
        assert!(issuers.0.lock().len() <= CAPACITY);
    }
}
