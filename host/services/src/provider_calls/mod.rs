//! What every request to a provider needs: grants as plugins see them, and the pause after a
//! failure.

mod pause;
mod plugin_grant;

pub(crate) use pause::provider_pause;
pub(crate) use plugin_grant::plugin_grant;
