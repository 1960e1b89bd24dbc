//! A request to one service, and what its parameters are checked with.

use std::collections::BTreeMap;

use axum::{
    body::Bytes,
    http::{HeaderMap, Method},
};
use jackfield_stand_in::Parameters;

use super::service_profile::ServiceProfile;

/// A request to one service.
#[derive(Clone)]
pub(super) struct ServiceRequest<'a> {
    pub(super) id: &'a str,
    pub(super) profile: &'a ServiceProfile,
    pub(super) method: Method,
    /// At the real service, without the query.
    pub(super) url: String,
    pub(super) query: Parameters,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why a request is refused, for the reader of a test.
pub(super) type Rejection = String;

pub(super) fn expect_equal(what: &str, given: &str, wanted: &str) -> Result<(), Rejection> {
    if given == wanted { Ok(()) } else { Err(format!("{what} is {given:?}, and not {wanted:?}")) }
}

/// The remaining parameters are those that the service wants, no fewer and no more.
pub(super) fn expect_only(mut left: Parameters, wanted: &BTreeMap<String, String>) -> Result<(), Rejection> {
    for (name, value) in wanted {
        expect_equal(name, &left.take(name)?, value)?;
    }
    left.iter().next().map_or(Ok(()), |(name, _)| Err(format!("{name} is not a parameter of this service")))
}
