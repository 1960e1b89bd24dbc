//! The token endpoints: `oauth.access` and `oauth.v2.access`.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use futures_util::stream;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    answers,
    behaviour::TokenAnswer,
    client::client_error,
    grant::{ApiVersion, Grant},
    received::Received,
    refresh,
    refusal::refused,
    shared::Shared,
};
use crate::stand_in::{Endpoint, locked};

/// Lifetime of a code: <https://docs.slack.dev/authentication/installing-with-oauth>.
const LIFE_OF_A_CODE: Duration = Duration::from_secs(600);

pub(super) async fn v1(State(shared): State<Arc<Shared>>, Extension(received): Extension<Received>) -> Response {
    shared.faults.handle(Endpoint::Exchange, access(&shared, ApiVersion::V1, &received)).await
}

pub(super) async fn v2(State(shared): State<Arc<Shared>>, Extension(received): Extension<Received>) -> Response {
    if received.field("grant_type") == Some("refresh_token") {
        return shared.faults.handle(Endpoint::Refresh, async { refresh::answer(&shared, &received) }).await;
    }
    shared.faults.handle(Endpoint::Exchange, access(&shared, ApiVersion::V2, &received)).await
}

async fn access(shared: &Shared, api: ApiVersion, received: &Received) -> Response {
    let grant = match exchanged(shared, api, received) {
        Ok(grant) => grant,
        Err(error) => return refused(error),
    };
    let how = locked(&shared.behaviour).token;
    match how {
        TokenAnswer::Token => Json(answer(shared, &grant)).into_response(),
        TokenAnswer::Form => form(&answer(shared, &grant)),
        TokenAnswer::Slow => {
            shared.gate.notified().await;
            Json(answer(shared, &grant)).into_response()
        }
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
    }
}

fn answer(shared: &Shared, grant: &Grant) -> Value {
    match grant.api {
        ApiVersion::V1 => answers::v1(shared, grant),
        ApiVersion::V2 => answers::v2(shared, grant),
    }
}

/// Checks all that Slack checks. The first request with a code uses it up, good or bad.
fn exchanged(shared: &Shared, api: ApiVersion, received: &Received) -> Result<Grant, &'static str> {
    let given = |name| received.field(name).unwrap_or_default();
    let client = client_error(&shared.client, received);
    let grant = shared.codes.redeem(given("code"));
    match grant {
        // Slack's own libraries leave it out.
        _ if !["", "authorization_code"].contains(&given("grant_type")) => Err("invalid_grant_type"),
        _ if client.is_some() => Err(client.unwrap_or_default()),
        None => Err("invalid_code"),
        Some(grant) if shared.clock.now() > grant.given_at + LIFE_OF_A_CODE => Err("invalid_code"),
        Some(grant) if grant.api != api => Err("oauth_authorization_url_mismatch"),
        Some(grant) if grant.client_id != shared.client.id => Err("invalid_code"),
        Some(grant) if grant.redirect_uri != given("redirect_uri") => Err("bad_redirect_uri"),
        Some(grant) => Ok(grant),
    }
}

/// The top level of an answer, which is all that a form can hold.
fn form(answer: &Value) -> Response {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in answer.as_object().into_iter().flatten() {
        form.append_pair(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
    }
    ([(header::CONTENT_TYPE, "application/x-www-form-urlencoded")], form.finish()).into_response()
}

const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

/// 256 MiB, generated while they are read.
fn huge() -> Response {
    let chunks = (0..4096).map(|_| Ok::<_, io::Error>(Bytes::from(vec![b' '; 64 * 1024])));
    (JSON, Body::from_stream(stream::iter(chunks))).into_response()
}

fn cut() -> Response {
    let beginning = Ok(Bytes::from_static(b"{\"ok\": true, \"access_tok"));
    let end = Err(io::Error::other("cut on purpose"));
    (JSON, Body::from_stream(stream::iter([beginning, end]))).into_response()
}
