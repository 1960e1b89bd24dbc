//! Every URL of the host, on one screen.

use axum::{
    Router,
    routing::{any, delete, get, post},
};

use super::{
    account, api, assets, audit, events, health, icons, integration, integrations, layers, login, setup, webhook,
};
use crate::app::AppHandle;

/// The whole of the host's HTTP surface.
pub fn router(app: AppHandle) -> Router {
    let api = Router::new()
        .route("/api/0/organizations/{org}/config/integrations/", get(api::providers))
        .route("/api/0/organizations/{org}/audit/", get(api::audit))
        .route("/api/0/organizations/{org}/integrations/", get(api::list))
        .route("/api/0/organizations/{org}/integrations/{id}/", get(api::get).merge(delete(api::remove)))
        .route("/api/0/organizations/{org}/integrations/{id}/grants/", get(api::grants))
        .route("/api/0/organizations/{org}/integrations/{id}/token/", get(api::token))
        .route("/api/0/organizations/{org}/revocations/", get(api::revocations))
        .method_not_allowed_fallback(api::method_not_allowed)
        .fallback(api::not_found);

    let pages = Router::new()
        .route("/", get(integrations::home))
        .route("/auth/login/", get(login::form).post(login::log_in))
        .route("/auth/logout/", post(login::log_out))
        .route("/account/", get(account::page))
        .route("/account/identities/{id}/unlink/", post(account::unlink))
        .route("/organizations/{org}/audit/", get(audit::page))
        .route("/organizations/{org}/integrations/", get(integrations::page))
        .route("/organizations/{org}/integrations/{id}/", get(integration::page).post(integration::configure))
        .route("/organizations/{org}/integrations/{id}/remove/", get(integration::ask_remove).post(integration::remove))
        .route("/organizations/{org}/integrations/{provider}/setup/", get(setup::start))
        .route("/extensions/{provider}/setup/", get(setup::visit).post(setup::visit));

    let streamed = Router::new()
        .route("/api/0/organizations/{org}/integrations/{id}/proxy/", any(api::proxy))
        .route("/api/0/organizations/{org}/integrations/{id}/proxy/{*path}", any(api::proxy));

    let router = Router::new().merge(api).merge(pages);
    let (sessions, streamed) = (layers::with_session(router, &app), layers::with_session(streamed, &app));
    let plain = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/extensions/{provider}/webhook/{key}/", any(webhook::receive))
        .route("/extensions/{provider}/events/", any(events::handle_event))
        .route("/icons/{provider}/{version}", get(icons::serve))
        .route("/static/{version}/{file}", get(assets::serve));
    layers::around_everything(layers::bounded(sessions.merge(plain)).merge(streamed)).with_state(app)
}
