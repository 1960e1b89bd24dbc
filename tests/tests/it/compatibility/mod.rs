//! Plugins and hosts of different versions together. What a plugin and a host of one version do belongs in `plugins` and `providers`.

mod future_host;
mod future_plugin;
mod released;
mod worker_client;
