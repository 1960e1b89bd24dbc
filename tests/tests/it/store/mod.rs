//! What is in the database: rows, also after a crash, and no secret in clear. Keys belong in
//! `keys`, the audit log in `audit`.

mod crashes;
mod former_database;
mod later_database;
mod plans;
mod poolers;
mod principals;
mod round_trips;
mod secret_search;
mod secrets;
mod sqlite_file;
mod subjects;
pub(crate) mod tables;
mod token_tables;
mod unfit_databases;
