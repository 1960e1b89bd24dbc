//! An endpoint, as programs and pages show it.

use serde::Serialize;

use super::{
    attempt_result::AttemptResult,
    webhook_signature::{public_key_text, secret_text},
};
use jackfield_config::clock::rfc3339;
use jackfield_store::{
    Sealer,
    endpoints::{Endpoint, EndpointSecrets},
};

/// An endpoint. It shows no secret.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointOut {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub url: String,
    /// What people have written beside it.
    pub description: String,
    /// The kinds of events that it gets; empty: all.
    pub types: Vec<String>,
    /// Ids of the providers whose events it gets; empty: all.
    pub providers: Vec<String>,
    /// `enabled`, `paused` or `disabled`.
    pub status: &'static str,
    /// Why it is disabled; `null` if it is not.
    pub reason: Option<String>,
    /// Whether it stands in the configuration of the host, and is changed there alone.
    pub is_configured: bool,
    /// Checks signatures `v1a`: `whpk_…`; `null` if it cannot be read.
    pub public_key: Option<String>,
    /// When it was made.
    pub date_added: Option<String>,
    /// Since when no delivery has arrived; `null` if the last one has.
    pub failing_since: Option<String>,
}

/// An endpoint that was just made, with its secret. It has no `Debug`, which would show it.
#[derive(Clone, Serialize)]
pub struct CreatedEndpoint {
    /// The endpoint.
    #[serde(flatten)]
    pub endpoint: EndpointOut,
    /// `whsec_…`. It is shown here and never again.
    pub secret: String,
}

/// A secret that was just rotated. It has no `Debug`, which would show it.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RotatedSecret {
    /// `whsec_…`. It is shown here and never again.
    pub secret: String,
    /// `whpk_…`.
    pub public_key: Option<String>,
    /// Until when the former ones sign as well.
    pub former_until: Option<String>,
}

/// What an endpoint has answered to a test.
#[derive(Clone, Debug, Serialize)]
pub struct TestedEndpoint {
    /// Whether it has taken it.
    pub delivered: bool,
    /// The status of the answer; `null` if there was none.
    pub status: Option<u16>,
    /// What went wrong; `null` if it has arrived.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration: i64,
}

impl EndpointOut {
    pub(super) fn new(endpoint: &Endpoint, sealer: &Sealer) -> Self {
        let secrets = endpoint.secrets(sealer).ok();
        Self {
            id: endpoint.id.to_string(),
            url: endpoint.url.clone(),
            description: endpoint.description.clone(),
            types: endpoint.kinds(),
            providers: endpoint.providers(),
            status: endpoint.status.as_str(),
            reason: endpoint.reason.clone(),
            is_configured: endpoint.is_configured,
            public_key: secrets.as_ref().and_then(public_key_text),
            date_added: rfc3339(endpoint.date_added),
            failing_since: endpoint.failing_since.and_then(rfc3339),
        }
    }
}

impl CreatedEndpoint {
    pub(super) fn new(endpoint: &Endpoint, secrets: &EndpointSecrets, sealer: &Sealer) -> Self {
        Self { endpoint: EndpointOut::new(endpoint, sealer), secret: secret_text(secrets) }
    }
}

impl From<AttemptResult> for TestedEndpoint {
    fn from(result: AttemptResult) -> Self {
        Self { delivered: result.is_success(), status: result.status, error: result.error, duration: result.duration }
    }
}
