//! The command line: arguments and words.

mod audit;
mod audit_cut;
mod backup;
#[cfg(feature = "author")]
mod check;
mod command_line;
mod config;
mod confirm;
mod errors;
mod expiry;
mod inbox;
mod key;
mod lines;
mod log_levels;
mod member;
mod org;
mod org_settings;
mod password;
mod plugin;
#[cfg(feature = "author")]
mod plugin_dev;
mod plugin_report;
mod process_end;
mod provider;
mod reload;
mod revoke;
mod revoke_report;
mod serve;
#[cfg(feature = "author")]
mod signing;
mod token;
mod user;

pub use command_line::{main, main_from};
