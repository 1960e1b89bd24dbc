//! Revocation: `auth.revoke` and `apps.uninstall`.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    api::{Bearer, authenticated},
    client::client_error,
    received::Received,
    refusal::refused,
    shared::Shared,
};
use crate::stand_in::Endpoint;

/// Revokes the token of the request: <https://docs.slack.dev/reference/methods/auth.revoke>.
pub(super) async fn revoke(State(shared): State<Arc<Shared>>, Extension(received): Extension<Received>) -> Response {
    let operation =
        async { authenticated(&shared, &received).map_or_else(refused, |bearer| revoked(&shared, &received, &bearer)) };
    shared.faults.handle(Endpoint::Revocation, operation).await
}

fn revoked(shared: &Shared, received: &Received, bearer: &Bearer) -> Response {
    let is_test = received.either("test").is_some_and(|test| ["1", "true"].contains(&test));
    if !is_test {
        // The refresh token that belongs to it is revoked as well.
        shared.tokens.revoke_family(&bearer.token);
    }
    Json(json!({"ok": true, "revoked": !is_test})).into_response()
}

/// Revokes every token of the installation:
/// <https://docs.slack.dev/reference/methods/apps.uninstall>.
pub(super) async fn uninstall(State(shared): State<Arc<Shared>>, Extension(received): Extension<Received>) -> Response {
    let operation = async {
        let bearer = match authenticated(&shared, &received) {
            Ok(bearer) => bearer,
            Err(error) => return refused(error),
        };
        match client_error(&shared.client, &received.with_query_as_form()) {
            Some("invalid_client_id") => refused("client_id_token_mismatch"),
            Some(error) => refused(error),
            None => {
                shared.tokens.revoke_all_of(&bearer.owner);
                Json(json!({"ok": true})).into_response()
            }
        }
    };
    shared.faults.handle(Endpoint::Uninstall, operation).await
}
