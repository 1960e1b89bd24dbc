//! What comes out of a set-up.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Grant, State};

/// What a finished pipeline becomes. `Debug` shows no metadata: it holds tokens.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Integration {
    /// The account's id at the provider; unique by (provider, external id).
    pub external_id: String,
    /// What people read; the external id when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the provider needs later, tokens included; sealed at rest.
    pub metadata: State,
    /// Whose account set it up, where the provider tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The tokens that the host shall keep fresh and revoke in the end; `None`: those of the token answer, where there was one. The first
    /// is the one that is used when none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<Grant>>,
    /// Where the service's own API is for this account, where it is not where the provider says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
}

/// One account at an identity provider. `Debug` shows no data: it holds tokens.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Identity {
    /// Type of the identity provider: `slack`.
    #[serde(rename = "type")]
    pub identity_type: String,
    /// Instance of the identity provider: `slack.com`.
    pub instance: String,
    /// The account's id there.
    pub external_id: String,
    /// Scopes that were granted.
    pub scopes: Vec<String>,
    /// What belongs to the account, tokens included; sealed at rest.
    pub data: State,
}

impl Integration {
    /// An integration without name, metadata and identity.
    pub fn new(external_id: impl Into<String>) -> Self {
        Self { external_id: external_id.into(), ..Self::default() }
    }

    /// Sets the name people read.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Puts a value into the metadata.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Puts a value into the metadata if there is one.
    #[must_use]
    pub fn metadata_if_some(self, key: impl Into<String>, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.metadata(key, value),
            None => self,
        }
    }

    /// Adds tokens that the host shall keep fresh and revoke in the end. Where none is added, the host takes those of the token answer.
    #[must_use]
    pub fn grant(mut self, grant: Grant) -> Self {
        self.grants.get_or_insert_default().push(grant);
        self
    }

    /// The same, where there are any.
    #[must_use]
    pub fn grant_if_some(self, grant: Option<Grant>) -> Self {
        match grant {
            Some(grant) => self.grant(grant),
            None => self,
        }
    }

    /// Keeps no tokens, although there was a token answer: it served the log-in only.
    #[must_use]
    pub fn without_grants(mut self) -> Self {
        self.grants = Some(Vec::new());
        self
    }

    /// Sets where the service's own API is for this account, `https://git.example.com/api/v4/`: as [`Api::url`](super::Api::url), in its place.
    #[must_use]
    pub fn api_url(mut self, url: impl Into<String>) -> Self {
        self.api_url = Some(url.into());
        self
    }

    /// Sets whose account set it up.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }
}

impl Identity {
    /// An account without scopes and data.
    pub fn new(identity_type: impl Into<String>, instance: impl Into<String>, external_id: impl Into<String>) -> Self {
        Self {
            identity_type: identity_type.into(),
            instance: instance.into(),
            external_id: external_id.into(),
            ..Self::default()
        }
    }

    /// Sets the scopes that were granted.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Puts a value into the data.
    #[must_use]
    pub fn data(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.data.insert(key.into(), value.into());
        self
    }

    /// Puts a value into the data if there is one.
    #[must_use]
    pub fn data_if_some(self, key: impl Into<String>, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.data(key, value),
            None => self,
        }
    }
}

impl fmt::Debug for Integration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Integration")
            .field("external_id", &self.external_id)
            .field("name", &self.name)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("type", &self.identity_type)
            .field("instance", &self.instance)
            .field("external_id", &self.external_id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}
