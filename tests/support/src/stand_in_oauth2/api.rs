//! What an access token is for (RFC 6750): the account, and an API that returns the request it got.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    client::CLIENT,
    request::{Rejection, ServiceRequest, expect_equal},
    responses::json as answer_of,
    shared::Shared,
};
use crate::stand_in::TokenState;

pub(super) fn answer(
    shared: &Shared,
    request: &ServiceRequest<'_>,
    query: Option<&str>,
) -> Result<Response, Rejection> {
    match &request.profile.api {
        Some(prefix) if request.url.starts_with(prefix) => Ok(echo(shared, request, query)),
        _ => account(shared, request, query),
    }
}

/// The account, for a request that is what the service wants, with a valid token of this service.
fn account(shared: &Shared, request: &ServiceRequest<'_>, query: Option<&str>) -> Result<Response, Rejection> {
    let url = query.map_or_else(|| request.url.clone(), |query| format!("{}?{query}", request.url));
    let given = format!("{} {url}", request.method);
    let account = request.profile.account.as_deref().ok_or_else(|| format!("{given}: nothing is there"))?;
    expect_equal("the account's request", &given, account)?;
    let tokens = shared.tokens.all();
    let own = || tokens.iter().filter(|token| token.owner == request.id && !token.is_refresh);
    let newest = own().last().ok_or("no token was given out")?;
    let used = own().find(|token| check_headers(request, &token.token).is_ok()).unwrap_or(newest);
    check_headers(request, &used.token)?;
    if used.state != TokenState::Live {
        return Ok(unauthorized(used.state));
    }
    expect_equal("the account's body", &String::from_utf8_lossy(&request.body), &request.profile.asks)?;
    Ok(answer_of(&request.profile.account_answer))
}

fn check_headers(request: &ServiceRequest<'_>, token: &str) -> Result<(), Rejection> {
    for (name, wanted) in &request.profile.headers {
        let wanted = wanted.replace("TOKEN", token).replace("CLIENT", CLIENT);
        let given = request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        expect_equal(&format!("the header {name}"), given, &wanted)?;
    }
    Ok(())
}

/// Returns method, URL, headers and body of the request, for a valid bearer token. It leaves the
/// token out, so that a test can print the response.
fn echo(shared: &Shared, request: &ServiceRequest<'_>, query: Option<&str>) -> Response {
    let text = |name: &header::HeaderName| request.headers.get(name).and_then(|value| value.to_str().ok());
    let token = text(&header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let of_this_service = shared.tokens.family(token).is_some_and(|(owner, _)| owner == request.id);
    match shared.tokens.state(token) {
        TokenState::Live if of_this_service && !shared.tokens.is_refresh(token) => {}
        TokenState::Live => return unauthorized(TokenState::Unknown),
        state => return unauthorized(state),
    }
    let headers = request.headers.keys().filter(|name| *name != header::AUTHORIZATION);
    let headers: Map<_, _> = headers.map(|name| (name.to_string(), Value::from(text(name)))).collect();
    let body = String::from_utf8_lossy(&request.body);
    let request_seen = json!({
        "method": request.method.as_str(), "url": request.url, "query": query, "headers": headers, "body": body,
    });
    answer_of(&request_seen.to_string())
}

/// RFC 6750 section 3.1; the state is for the test.
fn unauthorized(state: TokenState) -> Response {
    let body = json!({"error": "invalid_token", "state": state}).to_string();
    let headers =
        [(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""), (header::CONTENT_TYPE, "application/json")];
    (StatusCode::UNAUTHORIZED, headers, body).into_response()
}
