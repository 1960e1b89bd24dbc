//! The command line: arguments and words.

mod accounts;
mod audit;
#[cfg(feature = "author")]
mod check;
mod command_line;
mod config;
mod errors;
mod key;
mod lines;
mod password;
mod plugin;
#[cfg(feature = "author")]
mod plugin_dev;
mod plugin_report;
mod provider;
mod reload;
mod revoke;
mod revoke_report;
mod serve;
#[cfg(feature = "author")]
mod signing;

pub use command_line::{main, main_from};
