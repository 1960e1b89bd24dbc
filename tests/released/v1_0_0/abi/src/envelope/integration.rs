//! What a setup results in.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Grant, State};

/// The result of a finished pipeline. `Debug` shows no metadata: it may hold tokens.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Integration {
    /// The account's id at the service. (Provider, external id) is unique.
    pub external_id: String,
    /// The name that people read. `None` means the external id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the provider needs later, such as tokens. The host stores it encrypted.
    pub metadata: State,
    /// The account of the person who set it up, if the service says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The tokens that the host keeps fresh and revokes in the end. `None` means those of the token
    /// response, if there was one. The host uses the first grant if nobody names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<Grant>>,
    /// Base URL of the service's API for this account, if it is not that of the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
}

/// One account at an identity provider. `Debug` shows no data: it may hold tokens.
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
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// What belongs to the account, such as tokens. The host stores it encrypted.
    pub data: State,
}

impl Integration {
    /// An integration without name, metadata and identity.
    pub fn new(external_id: impl Into<String>) -> Self {
        Self { external_id: external_id.into(), ..Self::default() }
    }

    /// Sets the name that people read.
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

    /// Adds tokens that the host keeps fresh and revokes in the end. If you add none, the host
    /// takes those of the token response.
    #[must_use]
    pub fn grant(mut self, grant: Grant) -> Self {
        self.grants.get_or_insert_default().push(grant);
        self
    }

    /// Adds tokens if there are any.
    #[must_use]
    pub fn grant_if_some(self, grant: Option<Grant>) -> Self {
        match grant {
            Some(grant) => self.grant(grant),
            None => self,
        }
    }

    /// Keeps no tokens, although there was a token response. For a login that only identifies a
    /// person.
    #[must_use]
    pub fn without_grants(mut self) -> Self {
        self.grants = Some(Vec::new());
        self
    }

    /// Sets the base URL of the service's API for this account, such as
    /// `https://git.example.com/api/v4/`. It replaces [`Api::url`](super::Api::url).
    #[must_use]
    pub fn api_url(mut self, url: impl Into<String>) -> Self {
        self.api_url = Some(url.into());
        self
    }

    /// Sets the account of the person who set it up.
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

    /// Sets the granted scopes.
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
