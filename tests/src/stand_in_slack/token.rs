//! The token endpoints: `oauth.access` and `oauth.v2.access`.

use std::{io, sync::Arc};

use axum::{
    Form, Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::stream;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{Dialect, Received, Shared, TokenAnswer, answers, locked};

type Parameters = Vec<(String, String)>;

pub(super) async fn v1(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(form): Form<Parameters>,
) -> Response {
    access(&shared, Dialect::V1, &headers, form).await
}

pub(super) async fn v2(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(form): Form<Parameters>,
) -> Response {
    access(&shared, Dialect::V2, &headers, form).await
}

async fn access(shared: &Shared, dialect: Dialect, headers: &HeaderMap, form: Parameters) -> Response {
    let path = if dialect == Dialect::V1 { "/api/oauth.access" } else { "/api/oauth.v2.access" };
    let received = Received { path: path.to_owned(), parameters: form };
    locked(&shared.received).push(received.clone());
    let how = locked(&shared.behaviour).token;
    match how {
        TokenAnswer::Error => refused("invalid_code"),
        TokenAnswer::DescribedError => {
            Json(json!({"ok": false, "error": "org_login_required", "error_description": "The workspace is <locked>."}))
                .into_response()
        }
        TokenAnswer::NotJson => Html("<h1>Slack is down for maintenance</h1>").into_response(),
        TokenAnswer::Huge => huge(),
        TokenAnswer::Cut => cut(),
        TokenAnswer::ServerError => (StatusCode::INTERNAL_SERVER_ERROR, "oops").into_response(),
        TokenAnswer::Redirect => (StatusCode::FOUND, [(header::LOCATION, "/api/elsewhere")]).into_response(),
        TokenAnswer::OtherShape => Json(json!({"ok": true, "token": ["unexpected"]})).into_response(),
        TokenAnswer::Slow => {
            shared.gate.notified().await;
            exchanged(shared, dialect, headers, &received)
        }
        TokenAnswer::Token | TokenAnswer::Form => exchanged(shared, dialect, headers, &received),
    }
}

/// Slack's failures come with status 200.
fn refused(error: &str) -> Response {
    Json(json!({"ok": false, "error": error})).into_response()
}

/// Checks all that Slack checks. The code is used up by the first request that names it, good or bad.
fn exchanged(shared: &Shared, dialect: Dialect, headers: &HeaderMap, received: &Received) -> Response {
    let given = |name| received.parameter(name).unwrap_or_default();
    let (id, secret) = basic(headers).unwrap_or_else(|| (given("client_id").into(), given("client_secret").into()));
    let grant = locked(&shared.grants).remove(given("code"));
    match grant {
        _ if given("grant_type") != "authorization_code" => refused("invalid_grant_type"),
        _ if id != shared.client.id => refused("invalid_client_id"),
        _ if secret != shared.client.secret => refused("bad_client_secret"),
        None => refused("invalid_code"),
        Some(grant) if grant.dialect != dialect => refused("oauth_authorization_url_mismatch"),
        Some(grant) if grant.client_id != id => refused("invalid_code"),
        Some(grant) if grant.redirect_uri != given("redirect_uri") => refused("bad_redirect_uri"),
        Some(grant) => {
            let behaviour = locked(&shared.behaviour).clone();
            let answer = match dialect {
                Dialect::V1 => answers::v1(&behaviour, &grant.scope),
                Dialect::V2 => answers::v2(&behaviour, grant.install, &grant.scope),
            };
            if behaviour.token == TokenAnswer::Form { form(&answer) } else { Json(answer).into_response() }
        }
    }
}

/// RFC 6749 section 2.3.1, which Slack prefers to the form.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(BASE64_STANDARD.decode(value).ok()?).ok()?;
    decoded.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
}

/// What a form can hold of an answer: its top level.
fn form(answer: &Value) -> Response {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in answer.as_object().into_iter().flatten() {
        form.append_pair(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
    }
    ([(header::CONTENT_TYPE, "application/x-www-form-urlencoded")], form.finish()).into_response()
}

const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

/// 256 MiB, made as they are read.
fn huge() -> Response {
    let chunks = (0..4096).map(|_| Ok::<_, io::Error>(Bytes::from(vec![b' '; 64 * 1024])));
    (JSON, Body::from_stream(stream::iter(chunks))).into_response()
}

fn cut() -> Response {
    let beginning = Ok(Bytes::from_static(b"{\"ok\": true, \"access_tok"));
    let end = Err(io::Error::other("cut on purpose"));
    (JSON, Body::from_stream(stream::iter([beginning, end]))).into_response()
}
