//! Decisions that change several tables in one transaction. They lock rows in the order that the
//! package's documentation gives.

pub(crate) mod bootstrap;
pub(crate) mod inspection;
pub mod installing;
pub mod key_rotation;
mod owner_assignment;
mod payload;
pub mod principal;
pub mod removal;
pub mod renewal;
pub mod revoking;
pub mod separate_accounts;
mod sweep;
pub mod tokens_in_use;
pub mod user_sessions;
