//! The revocation endpoint (RFC 7009).

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{
    request::{Rejection, ServiceRequest},
    responses::refused_with,
    service_profile::{Body, ServiceProfile},
    shared::Shared,
    token::authenticated,
};

/// Section 2.2: an unknown token counts as revoked.
pub(super) fn answer(shared: &Shared, request: &ServiceRequest<'_>) -> Result<Response, Rejection> {
    // Section 2.1: a form, whatever the token endpoint wants.
    let profile = ServiceProfile { body: Body::Form, ..request.profile.clone() };
    let request = ServiceRequest { profile: &profile, ..request.clone() };
    let mut given = authenticated(shared, &request)?;
    let token = given.take("token")?;
    match given.take_optional("token_type_hint")?.as_deref() {
        None | Some("access_token" | "refresh_token") => {}
        Some(_) => return Ok(refused_with("unsupported_token_type")),
    }
    if let Some((name, _)) = given.iter().next() {
        return Err(format!("{name} is not a parameter of a revocation"));
    }
    // Section 2.1: only tokens of this client; here, of this service.
    if shared.tokens.family(&token).is_some_and(|(owner, _)| owner == request.id) {
        shared.tokens.revoke(&token);
    }
    Ok(StatusCode::OK.into_response())
}
