//! Refuses a request when as many are under way as the host takes.

use std::time::Duration;

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::error::Problem;
use crate::connections::TooMany;

/// When to try again. Most requests take far less.
const SOON: Duration = Duration::from_secs(1);

/// Answers 503 to what is one too many. Monitors are answered: they cost little, and a host that is
/// busy is not dead.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let is_for_monitors = matches!(request.uri().path(), "/healthz" | "/readyz");
    if request.extensions().get::<TooMany>().is_some() && !is_for_monitors {
        return Problem::TooManyRequests.until(SOON).into_response();
    }
    next.run(request).await
}
