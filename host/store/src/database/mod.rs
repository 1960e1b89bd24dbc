//! Connections to either database, the schema and its migrations. Knows no keys and no rows.

pub(crate) mod column_types;
pub(crate) mod connection;
pub(crate) mod migrations;
pub(crate) mod pool;
pub(crate) mod pooler;
pub(crate) mod postgres;
pub(crate) mod schema;
pub(crate) mod sqlite;
pub(crate) mod writer;
