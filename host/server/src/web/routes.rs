//! Every URL of the host, on one screen.

use axum::{
    Router,
    routing::{any, delete, get, post, put},
};

use super::{
    api, branding,
    compression::{compressed, compressed_file},
    health, inbound, layers,
    pages::{
        account, assets, audit_log, connect, connect_links, connect_script, endpoint_detail, endpoint_list, error_page,
        icons, integration_detail, integration_list, login, organization_settings, setup,
    },
};
use crate::app::AppHandle;

/// The whole of the host's HTTP surface.
pub fn router(app: AppHandle) -> Router {
    let api = Router::new()
        .route("/api/0/organizations/{org}/config/integrations/", compressed(get(api::providers)))
        .route("/api/0/organizations/{org}/audit/", get(api::audit))
        .route(
            "/api/0/organizations/{org}/connect-sessions/",
            get(api::connect_sessions).post(api::create_connect_session),
        )
        .route(
            "/api/0/organizations/{org}/connect-sessions/{id}/",
            get(api::connect_session).delete(api::end_connect_session),
        )
        .route("/api/0/organizations/{org}/connect-sessions/{id}/step/", post(api::connect_step))
        .merge(program_endpoints())
        .route("/api/0/organizations/{org}/events/", get(api::events))
        .route("/api/0/organizations/{org}/integrations/", compressed(get(api::list)))
        .route("/api/0/organizations/{org}/integrations/{id}/", get(api::get).merge(delete(api::remove)))
        .route("/api/0/organizations/{org}/integrations/{id}/grants/", compressed(get(api::grants)))
        .route("/api/0/organizations/{org}/integrations/{id}/token/", get(api::token))
        .route("/api/0/organizations/{org}/integrations/{id}/webhooks/", get(api::webhooks).post(api::make_webhook))
        .route(
            "/api/0/organizations/{org}/integrations/{id}/webhooks/{webhook}/",
            put(api::replace_secret).merge(delete(api::remove_webhook)),
        )
        .route("/api/0/organizations/{org}/received-events/", compressed(get(api::received_events)))
        .route("/api/0/organizations/{org}/received-events/replay/", post(api::replay_events))
        .route("/api/0/organizations/{org}/received-events/{event}/replay/", post(api::replay_event))
        .route("/api/0/organizations/{org}/revocations/", compressed(get(api::revocations)))
        .route("/api/0/organizations/{org}/settings/", get(api::settings).patch(api::change_settings))
        .route("/api/0/organizations/{org}/tokens/", get(api::tokens).post(api::create_token))
        .route("/api/0/organizations/{org}/tokens/{id}/", delete(api::revoke_token));

    let pages = Router::new()
        .route("/", get(integration_list::home))
        .route("/auth/login/", layers::log_in(get(login::form).post(login::log_in)))
        .route("/auth/logout/", post(login::log_out))
        .route("/account/", get(account::page))
        .route("/account/identities/{id}/unlink/", post(account::unlink))
        .route("/organizations/{org}/audit/", get(audit_log::page))
        .route("/organizations/{org}/settings/", get(organization_settings::page).post(organization_settings::change))
        .route("/organizations/{org}/settings/logo/", post(organization_settings::change_logo))
        .route("/organizations/{org}/connect-links/", get(connect_links::page).post(connect_links::create))
        .route("/organizations/{org}/connect-links/{id}/end/", post(connect_links::end))
        .route("/organizations/{org}/endpoints/", get(endpoint_list::page).post(endpoint_list::create))
        .route("/organizations/{org}/endpoints/{id}/", get(endpoint_detail::page))
        .route("/organizations/{org}/endpoints/{id}/{action}/", post(endpoint_detail::act))
        .route("/organizations/{org}/endpoints/{id}/deliveries/{event}/", post(endpoint_detail::redeliver))
        .route("/organizations/{org}/integrations/", compressed(get(integration_list::page)))
        .route(
            "/organizations/{org}/integrations/{id}/",
            get(integration_detail::page).post(integration_detail::configure),
        )
        .route(
            "/organizations/{org}/integrations/{id}/remove/",
            get(integration_detail::confirm_removal).post(integration_detail::remove),
        )
        .route(
            "/organizations/{org}/integrations/{provider}/setup/",
            layers::with_effect(get(setup::start).post(setup::start_by_post)),
        )
        .route("/extensions/{provider}/setup/", layers::with_effect(get(setup::visit).post(setup::visit)))
        .route("/extensions/{provider}/setup/{server}/", layers::with_effect(get(setup::visit).post(setup::visit)))
        .route("/extensions/{provider}/leaving/", get(setup::leaving))
        .route("/connect/{token}/", layers::with_effect(get(connect::open)))
        .route("/connect/{token}/status/", get(connect::status))
        .route("/connect/{token}/log-in/", post(connect::begin_log_in))
        .route("/connect/log-in/", layers::with_effect(get(connect::end_log_in)))
        .route("/connect/{token}/providers/{provider}/", post(connect::start))
        .route("/connect/sessions/{id}/closed/", get(connect::closed))
        .route("/connect/sessions/{id}/continue/{provider}/", layers::with_effect(get(connect::go_on)))
        .route("/connect/sessions/{id}/providers/{provider}/", post(connect::start_again));

    let streamed = Router::new()
        .route("/api/0/organizations/{org}/integrations/{id}/proxy/", any(api::proxy))
        .route("/api/0/organizations/{org}/integrations/{id}/proxy/{*path}", any(api::proxy));

    let router = Router::new().merge(api).merge(pages);
    let (sessions, streamed) = (layers::with_session(router, &app), layers::with_session(streamed, &app));
    let monitoring = Router::new().route("/healthz", get(health::alive)).route("/readyz", get(health::ready));
    let plain = layers::routine(monitoring)
        .route("/api/errors/", compressed(get(error_page::codes)))
        .route("/extensions/{provider}/webhook/{key}/", any(inbound::receive))
        .route("/extensions/{provider}/events/", any(inbound::handle_event))
        .route("/icons/{provider}/{version}", get(icons::serve))
        .route("/logos/{organization}/{version}", get(branding::logo))
        .route("/accents/{file}", get(branding::accent))
        .route("/static/{version}/{file}", compressed(get(assets::serve)))
        .route("/connect/jackfield-connect.js", compressed_file(get(connect_script::script)))
        .route("/connect/jackfield-connect.d.ts", compressed_file(get(connect_script::types)));
    layers::around_everything(layers::bounded(sessions.merge(plain)).merge(streamed), &app).with_state(app)
}

/// Where programs are told of events.
fn program_endpoints() -> Router<AppHandle> {
    Router::new()
        .route("/api/0/organizations/{org}/endpoints/", get(api::endpoints).post(api::create_endpoint))
        .route(
            "/api/0/organizations/{org}/endpoints/{id}/",
            get(api::endpoint).patch(api::change_endpoint).delete(api::remove_endpoint),
        )
        .route("/api/0/organizations/{org}/endpoints/{id}/rotate/", post(api::rotate_endpoint))
        .route("/api/0/organizations/{org}/endpoints/{id}/test/", post(api::test_endpoint))
        .route("/api/0/organizations/{org}/endpoints/{id}/redeliver/", post(api::redeliver_since))
        .route("/api/0/organizations/{org}/endpoints/{id}/deliveries/", get(api::deliveries))
        .route("/api/0/organizations/{org}/endpoints/{id}/deliveries/{event}/redeliver/", post(api::redeliver))
}
