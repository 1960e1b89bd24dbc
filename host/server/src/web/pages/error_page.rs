//! Pages of errors.

use std::any::Any;

use askama::Template;
use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::assets;
use crate::web::{
    error::{PageError, PendingErrorPage, WebError},
    html::html,
    request_id,
};

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    status: u16,
    title: &'static str,
    detail: &'static str,
    reference: String,
}

/// The layer that renders the pages of errors, with the reference that is in the log.
pub(in crate::web) async fn layer(request: Request, next: Next) -> Response {
    let reference = request_id::of(request.extensions()).unwrap_or_default().to_owned();
    let mut response = next.run(request).await;
    let pending = response.extensions_mut().remove::<PendingErrorPage>();
    let Some(PendingErrorPage { title, detail }) = pending else { return response };
    let status = response.status();
    let page = ErrorPage { status: status.as_u16(), title, detail, reference };
    let mut rendered = (status, html(&page)).into_response();
    rendered.headers_mut().extend(response.headers().clone());
    rendered
}

/// Answer to a URL that no route has.
pub(in crate::web) async fn no_such_page() -> PageError {
    PageError(WebError::NotFound)
}

/// Answer to a panic of ours.
pub(in crate::web) fn panicked(payload: Box<dyn Any + Send>) -> Response {
    let message = payload.downcast_ref::<&str>().map(ToString::to_string);
    let message = message.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
    PageError(WebError::Internal(format!("panicked: {message}"))).into_response()
}
