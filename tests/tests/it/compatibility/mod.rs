//! Plugins and hosts of different versions. Plugins and hosts of one version belong in `plugins`
//! and `providers`.

mod future_host;
mod future_plugin;
mod released;
pub(crate) mod worker_client;
