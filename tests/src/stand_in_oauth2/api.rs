//! What an access token is for (RFC 6750): the account, and an API that shows what it was asked.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{Asked, CLIENT, Refused, Shared, expect_equal, json as answer_of};
use crate::stand_in::State;

pub(super) fn answer(shared: &Shared, asked: &Asked<'_>, query: Option<&str>) -> Result<Response, Refused> {
    match &asked.dialect.api {
        Some(prefix) if asked.url.starts_with(prefix) => Ok(echo(shared, asked, query)),
        _ => account(shared, asked, query),
    }
}

/// The account, to who asks as the dialect wants it and has a token of this service that lives.
fn account(shared: &Shared, asked: &Asked<'_>, query: Option<&str>) -> Result<Response, Refused> {
    let url = query.map_or_else(|| asked.url.clone(), |query| format!("{}?{query}", asked.url));
    let given = format!("{} {url}", asked.method);
    let account = asked.dialect.account.as_deref().ok_or_else(|| format!("{given}: nothing is there"))?;
    expect_equal("the account's request", &given, account)?;
    let tokens = shared.ledger.tokens();
    let own = || tokens.iter().filter(|token| token.owner == asked.id && !token.is_refresh);
    let newest = own().last().ok_or("no token was given out")?;
    let used = own().find(|token| check_headers(asked, &token.token).is_ok()).unwrap_or(newest);
    check_headers(asked, &used.token)?;
    if used.state != State::Live {
        return Ok(unauthorized(used.state));
    }
    expect_equal("the account's body", &String::from_utf8_lossy(&asked.body), &asked.dialect.asks)?;
    Ok(answer_of(&asked.dialect.account_answer))
}

fn check_headers(asked: &Asked<'_>, token: &str) -> Result<(), Refused> {
    for (name, wanted) in &asked.dialect.headers {
        let wanted = wanted.replace("TOKEN", token).replace("CLIENT", CLIENT);
        let given = asked.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        expect_equal(&format!("the header {name}"), given, &wanted)?;
    }
    Ok(())
}

/// Method, URL, headers and body as they came, for a bearer token that lives; without the token, so that its answer may be shown.
fn echo(shared: &Shared, asked: &Asked<'_>, query: Option<&str>) -> Response {
    let text = |name: &header::HeaderName| asked.headers.get(name).and_then(|value| value.to_str().ok());
    let token = text(&header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let of_this_service = shared.ledger.family(token).is_some_and(|(owner, _)| owner == asked.id);
    match shared.ledger.state(token) {
        State::Live if of_this_service && !shared.ledger.is_refresh(token) => {}
        State::Live => return unauthorized(State::Unknown),
        state => return unauthorized(state),
    }
    let headers = asked.headers.keys().filter(|name| *name != header::AUTHORIZATION);
    let headers: Map<_, _> = headers.map(|name| (name.to_string(), Value::from(text(name)))).collect();
    let body = String::from_utf8_lossy(&asked.body);
    let heard = json!({
        "method": asked.method.as_str(), "url": asked.url, "query": query, "headers": headers, "body": body,
    });
    answer_of(&heard.to_string())
}

/// RFC 6750 section 3.1; the state is for the test to read.
fn unauthorized(state: State) -> Response {
    let body = json!({"error": "invalid_token", "state": state}).to_string();
    let headers =
        [(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""), (header::CONTENT_TYPE, "application/json")];
    (StatusCode::UNAUTHORIZED, headers, body).into_response()
}
