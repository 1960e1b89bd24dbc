//! Where a request comes from, as the audit log says it.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use super::{client_address::ClientAddress, request_id};
use jackfield_services::request_source::RequestSource;

/// Extracts the client's address, its `User-Agent` and the request's id.
pub(super) struct RequestOrigin(pub(super) RequestSource);

impl<S: Sync> FromRequestParts<S> for RequestOrigin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let address = parts.extensions.get::<ClientAddress>().map(|client| client.address);
        let agent = parts.headers.get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        Ok(Self(RequestSource::new(address, agent.as_deref(), request_id::of(&parts.extensions))))
    }
}
