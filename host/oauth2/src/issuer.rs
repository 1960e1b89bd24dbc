//! One issuer: its metadata and its keys.

use std::sync::Arc;

use jackfield_outbound::Outbound;
use jackfield_plugin_abi::envelope::OAuth2;
use time::OffsetDateTime;

use super::{
    authorization::requests_id_token,
    coalesced_fetch::CoalescedFetch,
    metadata::{DiscoveryError, fetch_keys},
    metadata_document::Metadata,
};
use crate::jose::{Jws, KeySet};

/// One issuer, with what was fetched from it.
pub(super) struct Issuer {
    id: String,
    metadata: CoalescedFetch<Metadata>,
    /// Its OpenID document, for what the other metadata leave out.
    openid: CoalescedFetch<Metadata>,
    keys: CoalescedFetch<KeySet>,
}

impl Issuer {
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            metadata: CoalescedFetch::default(),
            openid: CoalescedFetch::default(),
            keys: CoalescedFetch::default(),
        }
    }

    /// The identifier, as the provider or its operator wrote it.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The metadata, with what OpenID Connect adds where the provider needs it.
    pub(super) async fn metadata(
        &self,
        oauth2: &OAuth2,
        outbound: &Outbound,
        now: OffsetDateTime,
    ) -> Result<Arc<Metadata>, DiscoveryError> {
        let metadata = self.metadata.get(now, Metadata::fetch(self.id.clone(), outbound.clone())).await?;
        if !metadata.lacks_openid(requests_id_token(oauth2), oauth2.userinfo) {
            return Ok(metadata);
        }
        match self.openid.get(now, Metadata::fetch_openid(self.id.clone(), outbound.clone())).await {
            Ok(openid) => Ok(Arc::new(metadata.filled_from(&openid))),
            Err(error) => {
                tracing::warn!(issuer = self.id, %error, "the OpenID metadata of an issuer cannot be fetched; its other metadata are used");
                Ok(metadata)
            }
        }
    }

    /// The keys that may verify a signed text. If none of them does, its key may be new, so they
    /// are fetched once more: a new key need not have a name, or not another one.
    pub(super) async fn keys(
        &self,
        url: &str,
        jws: &Jws<'_>,
        outbound: &Outbound,
        now: OffsetDateTime,
    ) -> Result<Arc<KeySet>, DiscoveryError> {
        match self.keys.fresh(now) {
            Some(keys) if jws.is_of(&keys) => Ok(keys),
            _ => self.keys.refetch(now, fetch_keys(url.to_owned(), outbound.clone())).await,
        }
    }

    #[cfg(test)]
    pub(super) fn set_metadata(&self, metadata: Metadata, fresh_until: OffsetDateTime) {
        self.metadata.set(metadata, fresh_until);
    }
}
