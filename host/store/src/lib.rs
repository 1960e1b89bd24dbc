//! The database of a host: SQLite or PostgreSQL, with secrets sealed. Knows neither axum nor
//! plugins.
//!
//! Each folder uses only those above it:
//!
//! - `database`: connections, the schema and its migrations, SQLite's one writer.
//! - `sealing`: encryption of secrets, and the keys for it.
//! - `chain`: the end of the audit log's chain, as a transaction knows it.
//! - [`Store`] and [`Tx`]: run a function in a transaction.
//! - `tables`: one file a table, rows in and rows out.
//! - [`audit`]: the audit log.
//! - `transactions`: decisions that change several tables in one transaction.
//!
//! Only this package knows diesel. Uniqueness is held by the database, so that two hosts that race
//! end with one row.
//!
//! # Lock order
//!
//! On PostgreSQL transactions run beside each other. A transaction that changes several rows locks
//! them in one order, so that no two wait for each other: the rows of the setup, its user and
//! member, integrations by id, identities by id, grants each with its refresh, revocations, and the
//! audit log last, unless the entry goes into the queue, which locks nothing. A `lock` is an update
//! that changes nothing, or `FOR SHARE` where several may hold the row. It comes before anything is
//! read that depends on the row.

pub mod audit;
mod chain;
mod database;
mod error;
mod failure_reason;
mod hex;
mod key_id;
mod operator_help;
mod recorded;
#[cfg(feature = "testing")]
mod recording;
mod sealing;
#[cfg(feature = "testing")]
pub mod seeding;
mod store;
mod tables;
mod target;
#[cfg(feature = "testing")]
mod testing;
mod transactions;
mod tx;
mod unavailable;
mod waiting;

pub use database::{column_types::milliseconds, host_lock::HostLock, sqlite_file::leave_whole};
pub use error::{SealError, StoreError, StoreResult, if_it_opens};
pub use hex::hex;
pub use key_id::{KeyId, SecretKeyId};
pub use operator_help::operator_help;
pub use recorded::NewEvents;
#[cfg(feature = "testing")]
pub use recording::record_statements;
pub use sealing::{
    cipher::AadContext,
    data_keys::{DERIVED_KEY, DataKey},
    sealer::Sealer,
};
pub use store::{Store, lock_for_host, migrate};
pub use tables::{
    api_tokens, configurations, connect_sessions, deliveries, endpoints, events, grants, identities,
    identity_providers,
    ids::{
        ApiTokenId, ConnectSessionId, EndpointId, EventId, GrantId, IdentityId, IdentityProviderId, IntegrationId,
        OrganizationId, RevocationId, UserId,
    },
    integrations, known_providers, members, organization_integrations, organization_settings, organizations,
    outgoing_events, provider_owners, received_events, refresh_refusals, refreshes, revocations, sealed_columns,
    sessions, setups, subject, token_grants, unknown_columns, unlinked_integrations, user_identities, users,
    webhook_secrets, webhooks,
};
pub use target::Target;
pub use transactions::{
    bootstrap::{provider_owners_in_use, secret_key_in_use},
    inspection::{Inspection, inspect},
    installing, key_rotation, principal, removal, renewal, revoking, separate_accounts, tokens_in_use, user_sessions,
};
pub use tx::Tx;
pub use unavailable::{Effect, Reason, Unavailable};
pub use waiting::wait_for_database;
