//! What the tests of every folder start from: a host with an organization and its users, clients,
//! the database seen from outside, snapshots without what differs. It has no tests of the product.

mod api_client;
mod app_database;
mod locked_database;
pub(crate) mod plugin_app;
mod redacted;
mod test_app;

pub(crate) use api_client::{ApiClient, refusal};
pub(crate) use app_database::AppDatabase;
pub(crate) use locked_database::LockedDatabase;
pub(crate) use redacted::{log_line, redacted, redacted_record, redacted_with, step_error};
pub(crate) use test_app::{
    PASSWORD, TestApp, add_example, bare, leaving_a_mark, log_in, log_in_as, owner_of_acme, program, slack_options,
};
