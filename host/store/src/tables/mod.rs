//! One file a table: functions that take rows and return rows. Knows no decision that concerns
//! more than its own table and those it belongs to.

pub mod api_tokens;
pub mod configurations;
pub mod events;
pub(crate) mod grant_endings;
pub(crate) mod grant_installs;
mod grant_owner;
mod grant_shares;
pub mod grants;
pub mod identities;
pub mod identity_providers;
pub(crate) mod ids;
pub mod integrations;
mod kept_refresh_token;
pub mod known_providers;
mod leases;
pub mod members;
pub mod organization_integrations;
pub mod organizations;
pub mod provider_owners;
pub mod refresh_refusals;
pub mod refreshes;
mod revocation_filter;
mod revocation_payload;
mod revocation_status;
pub mod revocations;
mod scopes;
pub mod sealed_columns;
pub mod sessions;
pub mod setups;
mod status;
pub mod token_grants;
pub mod unknown_columns;
pub mod user_identities;
pub mod users;
pub mod webhooks;
