//! A few methods of Slack's API, for valid tokens.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    answers::{APP, BOT},
    received::Received,
    refusal::refused,
    shared::Shared,
};
use crate::stand_in::{Endpoint, TokenState};

/// The caller.
pub(super) struct Bearer {
    pub(super) token: String,
    /// Id of the workspace or enterprise.
    pub(super) owner: String,
    data: Value,
}

/// The token of a request, if it is valid: from the header, or from the form field `token`.
pub(super) fn authenticated(shared: &Shared, received: &Received) -> Result<Bearer, &'static str> {
    let header = received.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer ")).or_else(|| received.field("token"));
    let token = token.filter(|token| !token.is_empty()).ok_or("not_authed")?;
    if shared.tokens.is_refresh(token) {
        return Err("not_allowed_token_type");
    }
    match shared.tokens.state(token) {
        TokenState::Live => {}
        TokenState::Expired => return Err("token_expired"),
        TokenState::Revoked => return Err("token_revoked"),
        TokenState::Unknown | TokenState::Used => return Err("invalid_auth"),
    }
    let (owner, data) = shared.tokens.family(token).ok_or("invalid_auth")?;
    Ok(Bearer { token: token.to_owned(), owner, data })
}

/// The identity of a token: <https://docs.slack.dev/reference/methods/auth.test>.
pub(super) async fn auth_test(State(shared): State<Arc<Shared>>, Extension(received): Extension<Received>) -> Response {
    let answer = |bearer: Bearer| {
        let data = &bearer.data;
        let team = if data["team"].is_object() { &data["team"] } else { &data["place"]["team"] };
        let is_bot = data["token_type"] == "bot" || bearer.token.contains("xoxb-");
        json!({
            "ok": true,
            "url": "https://stand-in.slack.example/",
            "team": team["name"].clone(),
            "team_id": team["id"].clone(),
            "user": if is_bot { json!("jackfield") } else { json!("ada") },
            "user_id": if is_bot { json!(BOT) } else { data["user_id"].clone() },
            "bot_id": is_bot.then_some("B0STANDINBOT"),
            "app_id": APP,
            "is_enterprise_install": data["place"]["is_enterprise_install"] == true,
        })
    };
    called(&shared, &received, answer).await
}

/// Returns the message that it gets:
/// <https://docs.slack.dev/reference/methods/chat.postMessage>.
pub(super) async fn post_message(
    State(shared): State<Arc<Shared>>,
    Extension(received): Extension<Received>,
    body: Bytes,
) -> Response {
    let message: Value = serde_json::from_slice(&body).unwrap_or_else(|_| Value::Object(members(&received)));
    let channel = message["channel"].clone();
    let answer = |_| json!({"ok": true, "channel": channel, "ts": "1503435956.000247", "message": message});
    called(&shared, &received, answer).await
}

/// The channels: <https://docs.slack.dev/reference/methods/conversations.list>.
pub(super) async fn conversations(
    State(shared): State<Arc<Shared>>,
    Extension(received): Extension<Received>,
) -> Response {
    let answer = |_| {
        let channel = json!({"id": "C0GENERAL", "name": "general", "is_channel": true});
        json!({"ok": true, "channels": [channel], "response_metadata": {"next_cursor": ""}})
    };
    called(&shared, &received, answer).await
}

async fn called(shared: &Shared, received: &Received, answer: impl FnOnce(Bearer) -> Value) -> Response {
    let operation = async {
        match authenticated(shared, received) {
            Ok(bearer) => scoped(&bearer.data["scope"].clone(), answer(bearer)),
            Err(error) => refused(error),
        }
    };
    shared.faults.handle(Endpoint::Api, operation).await
}

/// Slack puts the token's scopes in a header.
fn scoped(scope: &Value, answer: Value) -> Response {
    ([("x-oauth-scopes", scope.as_str().unwrap_or_default().to_owned())], Json(answer)).into_response()
}

/// A form's fields, without the token.
fn members(received: &Received) -> Map<String, Value> {
    let fields = received.form.iter().filter(|(name, _)| name != "token");
    fields.map(|(name, value)| (name.clone(), value.clone().into())).collect()
}
