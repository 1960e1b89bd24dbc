//! What a Jackfield host does, apart from HTTP: setups, grants, revocations, the proxy, accounts.
//!
//! Each module knows the database only by the functions of `jackfield-store`, and plugins only by
//! `jackfield-loader`. It re-exports the row types and ids that pages and commands show, so that
//! these need not know the database.

pub mod accounts;
pub mod adoption;
pub mod audit;
pub mod configuration_log;
pub mod connect;
pub mod database;
pub mod database_check;
mod detached;
pub mod grants;
pub mod inbox;
pub mod integrations;
pub mod keys;
pub mod log_ins;
pub mod open;
pub mod organization_settings;
pub mod outbox;
pub mod principal;
pub mod program_reads;
mod provider_calls;
mod provider_owners;
pub mod proxy;
pub mod reload;
pub mod removals;
pub mod request_source;
pub mod revocations;
pub mod session;
pub mod setup;
pub mod token_reads;

pub use jackfield_store::{Effect, Reason, Store, StoreError, StoreResult, Unavailable};
