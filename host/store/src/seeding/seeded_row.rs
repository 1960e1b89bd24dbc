//! Rows as they stand in the tables, without the columns that are empty.

use diesel::prelude::*;

use crate::database::{
    event_schema::{events, webhooks},
    schema::{
        grants, identities, identity_providers, integrations, organization_integrations as links, refreshes,
        revocations, sessions, user_identities,
    },
};

#[derive(Insertable)]
#[diesel(table_name = integrations)]
pub(super) struct IntegrationRow {
    pub(super) id: i64,
    pub(super) provider: String,
    pub(super) external_id: String,
    pub(super) name: String,
    pub(super) sort_name: String,
    pub(super) date_added: i64,
    pub(super) date_updated: i64,
}

#[derive(Insertable)]
#[diesel(table_name = links)]
pub(super) struct LinkRow {
    pub(super) organization_id: i64,
    pub(super) integration_id: i64,
    pub(super) config: &'static str,
    pub(super) sealed_metadata: Vec<u8>,
    pub(super) status: &'static str,
    pub(super) added_by: i64,
    pub(super) date_added: i64,
    pub(super) installed_at: i64,
    pub(super) sort_name: String,
}

#[derive(Insertable)]
#[diesel(table_name = grants)]
pub(super) struct GrantRow {
    pub(super) id: i64,
    pub(super) integration_id: i64,
    pub(super) organization_id: i64,
    pub(super) name: &'static str,
    pub(super) subject: String,
    pub(super) position: i32,
    pub(super) sealed_tokens: Vec<u8>,
    pub(super) scopes: String,
    pub(super) obtained_at: i64,
    pub(super) due_at: Option<i64>,
    pub(super) status: &'static str,
    pub(super) generation: i64,
    pub(super) installed_at: i64,
}

#[derive(Insertable)]
#[diesel(table_name = identity_providers)]
pub(super) struct IdentityProviderRow {
    pub(super) id: i64,
    pub(super) type_: String,
    pub(super) instance: String,
    pub(super) plugin: &'static str,
    pub(super) date_added: i64,
}

#[derive(Insertable)]
#[diesel(table_name = identities)]
pub(super) struct IdentityRow {
    pub(super) id: i64,
    pub(super) identity_provider_id: i64,
    pub(super) external_id: String,
    pub(super) status: &'static str,
    pub(super) scopes: &'static str,
    pub(super) sealed_data: Vec<u8>,
    pub(super) date_verified: i64,
    pub(super) date_added: i64,
}

#[derive(Insertable)]
#[diesel(table_name = user_identities)]
pub(super) struct UserIdentityRow {
    pub(super) user_id: i64,
    pub(super) identity_id: i64,
    pub(super) date_added: i64,
}

#[derive(Insertable)]
#[diesel(table_name = refreshes)]
pub(super) struct RefreshRow {
    pub(super) grant_id: i64,
    pub(super) failures: i32,
    pub(super) retry_at: i64,
    pub(super) failing_since: i64,
    pub(super) refusals: i32,
}

#[derive(Insertable)]
#[diesel(table_name = revocations)]
pub(super) struct RevocationRow {
    pub(super) provider: String,
    pub(super) external_id: String,
    pub(super) name: String,
    pub(super) organization_id: i64,
    pub(super) reason: &'static str,
    pub(super) status: &'static str,
    pub(super) attempts: i32,
    pub(super) retry_at: i64,
    pub(super) answer: &'static str,
    pub(super) date_added: i64,
    pub(super) date_ended: Option<i64>,
}

#[derive(Insertable)]
#[diesel(table_name = webhooks)]
pub(super) struct WebhookRow {
    pub(super) key_hash: Vec<u8>,
    pub(super) provider: String,
    pub(super) integration_id: i64,
    pub(super) organization_id: i64,
}

#[derive(Insertable)]
#[diesel(table_name = events)]
pub(super) struct EventRow {
    pub(super) provider: String,
    pub(super) id_hash: Vec<u8>,
    pub(super) expires_at: i64,
}

#[derive(Insertable)]
#[diesel(table_name = sessions)]
pub(super) struct SessionRow {
    pub(super) session_key: Vec<u8>,
    pub(super) sealed_data: Vec<u8>,
    pub(super) expires_at: i64,
    pub(super) user_id: i64,
}
