//! Every URL of the host, on one screen.

use axum::{
    Router,
    routing::{delete, get, post},
};

use super::{api, assets, health, integrations, layers, login, setup};
use crate::app::AppHandle;

/// The whole of the host's HTTP surface.
pub fn router(app: AppHandle) -> Router {
    let api = Router::new()
        .route("/api/0/organizations/{org}/config/integrations/", get(api::providers))
        .route("/api/0/organizations/{org}/integrations/", get(api::list))
        .route("/api/0/organizations/{org}/integrations/{id}/", get(api::get).merge(delete(api::remove)))
        .fallback(api::not_found);

    let pages = Router::new()
        .route("/", get(integrations::home))
        .route("/auth/login/", get(login::form).post(login::log_in))
        .route("/auth/logout/", post(login::log_out))
        .route("/organizations/{org}/integrations/", get(integrations::page))
        .route("/organizations/{org}/integrations/{id}/remove/", post(integrations::remove))
        .route("/organizations/{org}/integrations/{provider}/setup/", get(setup::start))
        .route("/extensions/{provider}/setup/", get(setup::visit).post(setup::visit));

    let router = Router::new().merge(api).merge(pages);
    let sessions = layers::with_session(router, &app);
    let plain = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/static/{version}/{file}", get(assets::serve));
    layers::around_everything(sessions.merge(plain), &app).with_state(app)
}
