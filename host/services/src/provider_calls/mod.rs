//! What every request to a provider needs: grants as plugins see them, the pause after a failure,
//! and what the log has of one.

mod inbound_failure;
mod pause;
mod plugin_grant;

pub(crate) use inbound_failure::log_inbound_failure;
pub(crate) use pause::provider_pause;
pub(crate) use plugin_grant::plugin_grant;
