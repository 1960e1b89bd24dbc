//! Runs plugins and asks them. Knows how a plugin runs; the modules above know only that it
//! answers.
//!
//! A [`launch_spec`] starts a [`running_plugin`] in a [`worker`] process or [`in_process`], behind
//! one [`transport`]. A [`plugin`] keeps as many running as the operator allows, each
//! in a [`slot`], and asks them through a [`client`].

mod client;
mod described_provider;
mod error;
mod host_services;
mod http_message;
mod in_process;
mod launch_spec;
mod open_library;
mod plugin;
mod plugin_log;
mod plugin_status;
mod redactor;
mod running_plugin;
mod slot;
mod transcript;
mod transport;
pub mod worker;

pub(crate) use described_provider::DescribedProvider;
pub use error::{MAX_REQUESTS, PluginError};
pub use host_services::Tokens;
pub(crate) use host_services::{HostServices, ReachedHosts};
pub use launch_spec::LaunchSpec;
pub(crate) use plugin::Plugin;
pub use plugin_log::{MOST_LOG_LINES, PLUGIN_LOG_TARGET};
pub use plugin_status::{PluginState, PluginStatus, ProviderStatus};
pub(crate) use redactor::Redactor;
pub use running_plugin::RunningPlugin;
pub(crate) use transport::Transport;
pub use transport::TransportError;
