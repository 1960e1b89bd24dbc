//! What a Jackfield host does, apart from serving HTTP: setups, grants, revocations, the proxy, accounts.
//!
//! A room here knows the database only by the functions of `jackfield-store`, and plugins only by `jackfield-loader`.

pub mod accounts;
pub mod audit;
mod detached;
pub mod grants;
pub mod integrations;
pub mod keys;
pub mod open;
mod provider_calls;
pub mod proxy;
pub mod reload;
pub mod revocations;
pub mod session;
pub mod setup;
