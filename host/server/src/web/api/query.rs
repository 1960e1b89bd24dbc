//! The query of an API request.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use crate::web::error::{Problem, WebError};

/// A query that is read, or a problem that says what is wrong with it.
pub(in crate::web) struct ApiQuery<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, WebError> {
        let query = Query::from_request_parts(parts, state).await;
        let Query(query) = query.map_err(|refused| Problem::BadRequest.because(refused.body_text()))?;
        Ok(Self(query))
    }
}
