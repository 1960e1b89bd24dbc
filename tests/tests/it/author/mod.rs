//! What a plugin author runs: a new plugin, the development server, the test harness. What an
//! operator runs belongs in `command_line`.

mod dev_server;
mod harness;
mod plugin_dev;
mod plugin_new;
mod plugin_sources;
