//! Why something cannot be done with an endpoint.

use thiserror::Error;

use jackfield_store::StoreError;

/// Most endpoints of an organization.
pub(super) const MOST_ENDPOINTS: usize = 100;

/// Why something cannot be done with an endpoint.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// Something that was asked for is not valid. The text says what, and what is.
    #[error("{0}")]
    Invalid(String),
    /// The organization has no such endpoint, or the endpoint no such delivery.
    #[error("there is no such endpoint")]
    NotFound,
    /// The endpoint stands in the configuration of the host.
    #[error("this endpoint stands in the configuration of the host, and is changed there")]
    Configured,
    /// The endpoint is disabled, so that nothing is delivered to it.
    #[error("this endpoint is disabled; enable it first")]
    Disabled,
    /// There are enough.
    #[error("the organization has {MOST_ENDPOINTS} endpoints; remove one first")]
    TooMany,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EndpointError {
    pub(super) fn invalid(words: impl Into<String>) -> Self {
        Self::Invalid(words.into())
    }
}
