//! The JSON API, `/api/0/…`.

mod audit;
mod cursor;
mod grants;
mod integrations;
mod providers;
mod proxy;
mod revocations;
mod token;

pub(super) use audit::audit;
pub(super) use cursor::{Cursor, PER_PAGE};
pub(super) use grants::grants;
pub(super) use integrations::{get, list, remove};
pub(super) use providers::providers;
pub(super) use proxy::proxy;
pub(super) use revocations::{RevocationOut, revocations};
pub(super) use token::token;

use super::error::{ApiError, WebError};

/// Answer to an API URL that no route has.
pub(super) async fn not_found() -> ApiError {
    ApiError(WebError::NotFound)
}

/// Answer to a method that the URL does not take.
pub(super) async fn method_not_allowed() -> ApiError {
    ApiError(WebError::MethodNotAllowed)
}
