//! What a plugin hands on to the programs of an organization.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Pairs, http::as_base64};

/// A call of a service, or what a plugin has made of it, for the programs of each organization
/// that has the account. They get it as the event `provider.event`.
///
/// For services that the host cannot [verify](super::Inbox) itself. `Debug` shows neither headers
/// nor body.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Delivery {
    /// The service's id of this delivery, so that a repeated one is dropped. Empty if the service
    /// sends none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// External id of the integration. Empty means the one that the webhook belongs to; at the
    /// events URL, which belongs to none, it must be set.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub external_id: String,
    /// Header names and values that programs get.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Pairs,
    /// The body that programs get. Base64 in JSON.
    #[serde(with = "as_base64", skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<u8>,
}

impl Delivery {
    /// A delivery of this body.
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// Sets the service's id of this delivery.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Sets the external id of the integration.
    #[must_use]
    pub fn external_id(mut self, external_id: impl Into<String>) -> Self {
        self.external_id = external_id.into();
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into().to_ascii_lowercase(), value.into()));
        self
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delivery({} bytes)", self.body.len())
    }
}
