//! The JSON API, `/api/0/…`.

mod audit;
mod cursor;
mod grants;
mod integrations;
mod providers;
mod proxy;
mod revocations;
mod token;

pub(in crate::web) use audit::audit;
pub(in crate::web) use cursor::{Cursor, PER_PAGE};
pub(in crate::web) use grants::grants;
pub(in crate::web) use integrations::{get, list, remove};
pub(in crate::web) use providers::providers;
pub(in crate::web) use proxy::proxy;
pub(in crate::web) use revocations::{RevocationOut, revocations};
pub(in crate::web) use token::token;

use super::error::{ApiError, WebError};

/// Answer to an API URL that no route has.
pub(in crate::web) async fn not_found() -> ApiError {
    ApiError(WebError::NotFound)
}

/// Answer to a method that the URL does not take.
pub(in crate::web) async fn method_not_allowed() -> ApiError {
    ApiError(WebError::MethodNotAllowed)
}
