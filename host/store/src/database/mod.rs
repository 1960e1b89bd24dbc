//! Connections to either database, the schema and its migrations. Knows no keys and no rows.

pub(crate) mod column_types;
pub(crate) mod connection;
pub(crate) mod file_identity;
pub(crate) mod fixed_condition;
pub(crate) mod health;
pub(crate) mod host_lock;
mod migration_failure;
pub(crate) mod migrations;
pub(crate) mod monitor;
pub(crate) mod pool;
pub(crate) mod pooler;
pub(crate) mod postgres;
pub(crate) mod probe;
pub(crate) mod progress;
pub(crate) mod schema;
pub(crate) mod sqlite;
mod sqlite_failure;
pub(crate) mod sqlite_file;
pub(crate) mod transaction;
pub(crate) mod writer;
