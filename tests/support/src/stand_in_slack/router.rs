//! Which endpoint a path leads to, and the paths that set what the stand-in does.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    middleware,
    routing::{any, get, post},
};
use serde::Deserialize;

use super::{api, authorize, behaviour::Behaviour, record, revoke, shared::Shared, token, transfers};
use crate::stand_in::{Endpoint, Fault, Token, locked};

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/oauth/authorize", get(authorize::v1))
        .route("/oauth/v2/authorize", get(authorize::v2))
        .route("/consent", post(authorize::consent))
        .route("/api/oauth.access", post(token::v1))
        .route("/api/oauth.v2.access", post(token::v2))
        .route("/api/auth.revoke", any(revoke::revoke))
        .route("/api/apps.uninstall", any(revoke::uninstall))
        .route("/api/auth.test", any(api::auth_test))
        .route("/api/chat.postMessage", post(api::post_message))
        .route("/api/conversations.list", any(api::conversations))
        .route("/api/stand-in.download", get(transfers::download))
        .route("/api/stand-in.upload", post(transfers::upload))
        .route("/behaviour", post(set_behaviour))
        .route("/fault", post(set_fault))
        .route("/advance-clock", post(advance_clock))
        .route("/tokens", get(tokens))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(middleware::from_fn_with_state(shared.clone(), record::record))
        .with_state(shared)
}

async fn set_behaviour(State(shared): State<Arc<Shared>>, Json(behaviour): Json<Behaviour>) -> StatusCode {
    *locked(&shared.behaviour) = behaviour;
    StatusCode::NO_CONTENT
}

/// `POST /fault`: `{"endpoint": "refresh", "fault": "lost-response"}`, for the next request there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NextFault {
    endpoint: Endpoint,
    fault: Fault,
}

async fn set_fault(State(shared): State<Arc<Shared>>, Json(next): Json<NextFault>) -> StatusCode {
    shared.faults.next(next.endpoint, [Some(next.fault)]);
    StatusCode::NO_CONTENT
}

/// `POST /advance-clock`: `{"seconds": 43200}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

async fn advance_clock(State(shared): State<Arc<Shared>>, Json(advance): Json<Advance>) -> StatusCode {
    shared.clock.advance(Duration::from_secs(advance.seconds));
    StatusCode::NO_CONTENT
}

/// Every issued token with its state.
async fn tokens(State(shared): State<Arc<Shared>>) -> Json<Vec<Token>> {
    Json(shared.tokens.all())
}
