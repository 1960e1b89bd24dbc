//! The JSON API, `/api/0/…`.

mod api_tokens;
mod audit;
mod connect_sessions;
mod connect_steps;
mod cursor;
mod endpoints;
mod event_reads;
mod grants;
mod integration_search;
mod integrations;
mod made_webhooks;
mod providers;
mod proxy;
mod query;
mod received_events;
mod revocations;
mod selector;
mod settings;
mod token;

pub(in crate::web) use api_tokens::{create_token, revoke_token, tokens};
pub(in crate::web) use audit::audit;
pub(in crate::web) use connect_sessions::{
    connect_session, connect_sessions, create_connect_session, end_connect_session,
};
pub(in crate::web) use connect_steps::connect_step;
pub(in crate::web) use cursor::{Cursor, PER_PAGE};
pub(in crate::web) use endpoints::{
    change_endpoint, create_endpoint, deliveries, endpoint, endpoints, redeliver, redeliver_since, remove_endpoint,
    rotate_endpoint, test_endpoint,
};
pub(in crate::web) use event_reads::events;
pub(in crate::web) use grants::grants;
pub(in crate::web) use integration_search::{search_in, search_parameters};
pub(in crate::web) use integrations::{get, list, remove};
pub(in crate::web) use made_webhooks::{make_webhook, remove_webhook, replace_secret, webhooks};
pub(in crate::web) use providers::providers;
pub(in crate::web) use proxy::proxy;
pub(in crate::web) use received_events::{received_events, replay_event, replay_events};
pub(in crate::web) use revocations::{RevocationOut, revocations};
pub(in crate::web) use settings::{change_settings, owner, settings};
pub(in crate::web) use token::token;
