//! What an operator runs and reads. What a plugin author runs belongs in `author`.

mod closed_output;
mod config_check;
mod database_errors;
mod exit_statuses;
mod operator;
pub(crate) mod plugin_commands;
mod plugin_limits;
