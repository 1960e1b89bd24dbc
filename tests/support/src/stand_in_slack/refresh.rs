//! Token rotation: `oauth.v2.access` with a refresh token
//! (<https://docs.slack.dev/authentication/using-token-rotation>).

use axum::{
    Json,
    response::{IntoResponse, Response},
};

use super::{
    answers::{self, Kind},
    client::client_error,
    received::Received,
    refusal::refused,
    shared::Shared,
};
use crate::stand_in::{Rotation, locked};

pub(super) fn answer(shared: &Shared, received: &Received) -> Response {
    if let Some(error) = client_error(&shared.client, received) {
        return refused(error);
    }
    let behaviour = locked(&shared.behaviour).clone();
    let token = received.field("refresh_token").unwrap_or_default();
    let Some((_, data)) = shared.tokens.family(token).filter(|_| behaviour.rotation != Rotation::Off) else {
        return refused("invalid_refresh_token");
    };
    match shared.tokens.refresh(token, &answers::policy(&behaviour, Kind::of(&data))) {
        Ok(issued) => Json(answers::refreshed(&issued)).into_response(),
        Err(_) => refused("invalid_refresh_token"),
    }
}
