//! What a host does while its database is lost, full, locked, damaged or busy, and afterwards.

mod fault_app;
mod lost_postgres;
mod start_and_stop;
mod unusable_sqlite;
