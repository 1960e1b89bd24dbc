//! The authorization endpoint (RFC 6749 section 4.1.1): it redirects back with a code at once, if
//! the request is what the service wants.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use jackfield_stand_in::Parameters;
use url::Url;

use super::{
    client::CLIENT,
    grant::Grant,
    issuer_identifier,
    request::{Rejection, ServiceRequest, expect_equal, expect_only},
    service_profile::Pkce,
    shared::Shared,
};

pub(super) fn answer(shared: &Shared, request: &ServiceRequest<'_>) -> Result<Response, Rejection> {
    let mut given = request.query.clone();
    expect_equal("client_id", &given.take("client_id")?, CLIENT)?;
    expect_equal("response_type", &given.take("response_type")?, "code")?;
    let (state, redirect_uri) = (given.take("state")?, given.take("redirect_uri")?);
    let scope = given.take_optional("scope")?;
    check_scope(request, scope.as_deref())?;
    let nonce = nonce(request, scope.as_deref().unwrap_or_default(), &mut given)?;
    let challenge = challenge(request.profile.pkce, &mut given)?;
    expect_only(given, &request.profile.authorize_parameters)?;
    let mut back = Url::parse(&redirect_uri).map_err(|_| "redirect_uri is not a URL")?;
    let scope = scope.unwrap_or_default();
    let grant = Grant { id: request.id.to_owned(), redirect_uri, challenge, scope, nonce };
    back.query_pairs_mut().append_pair("code", &shared.codes.issue("code-", grant)).append_pair("state", &state);
    issuer_identifier::say_whose(shared, request, &mut back);
    Ok((StatusCode::FOUND, [(header::LOCATION, back.to_string())]).into_response())
}

/// New and long when an ID token is requested, absent otherwise (OpenID Connect Core 1.0 section
/// 15.5.2).
fn nonce(request: &ServiceRequest<'_>, scope: &str, given: &mut Parameters) -> Result<Option<String>, Rejection> {
    let is_wanted = request.profile.issuer.is_some() && scope.split(' ').any(|scope| scope == "openid");
    match given.take_optional("nonce")? {
        Some(nonce) if is_wanted && nonce.len() >= 22 => Ok(Some(nonce)),
        None if !is_wanted => Ok(None),
        _ => Err("nonce is missing, short or not wanted".to_owned()),
    }
}

/// Scopes are joined by the service's separator only, and none is empty (RFC 6749 section 3.3).
fn check_scope(request: &ServiceRequest<'_>, scope: Option<&str>) -> Result<(), Rejection> {
    let other = if request.profile.separator == " " { "," } else { " " };
    match scope {
        Some("") => Err("scope is empty".to_owned()),
        Some(scope) if scope.contains(other) => Err(format!("scope {scope:?} is separated otherwise")),
        _ => Ok(()),
    }
}

/// RFC 7636 section 4.3.
fn challenge(pkce: Pkce, given: &mut Parameters) -> Result<Option<String>, Rejection> {
    if pkce == Pkce::Refused {
        return Ok(None); // What was sent is left over, and refused as such.
    }
    let challenge = given.take_optional("code_challenge")?;
    let method = given.take_optional("code_challenge_method")?;
    match (&challenge, method.as_deref()) {
        (Some(challenge), Some("S256")) if challenge.len() == 43 => {}
        (None, None) if pkce == Pkce::Required => return Err("code_challenge is missing".to_owned()),
        (None, None) => {}
        _ => return Err("the challenge is not one of S256".to_owned()),
    }
    Ok(challenge.filter(|_| pkce != Pkce::Ignored))
}
