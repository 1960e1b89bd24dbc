//! How a plugin is run. The rest of this room holds a [`Port`] and cannot tell a function call from a worker process.

use std::time::Duration;

use futures_util::future::BoxFuture;
use jackfield_plugin_abi::root::PluginRef;
use thiserror::Error;

/// Carries one question to a plugin and its answer back: bytes of [`jackfield_plugin_abi::envelope`] both ways.
pub(super) trait Port: Send + Sync {
    /// Asks `op` with `body`.
    fn call(&self, op: &'static str, body: Vec<u8>) -> BoxFuture<'static, Result<Vec<u8>, PortError>>;
}

/// Why no answer came back, whatever it might have said.
#[derive(Debug, Error)]
pub enum PortError {
    /// The plugin took longer than [`DEADLINE`].
    #[error("no answer within {DEADLINE:?}")]
    Deadline,
    /// The thread of the call is gone.
    #[error("the call ended without an answer: {0}")]
    Lost(String),
}

/// Longest a plugin may compute without asking the host for anything. It does no I/O, so milliseconds are the rule.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// Runs the plugin inside this process.
pub(super) struct InProcess(pub(super) PluginRef);

impl Port for InProcess {
    fn call(&self, op: &'static str, body: Vec<u8>) -> BoxFuture<'static, Result<Vec<u8>, PortError>> {
        let plugin = self.0;
        Box::pin(async move {
            let call = tokio::task::spawn_blocking(move || plugin.ask(op, &body));
            match tokio::time::timeout(DEADLINE, call).await {
                Ok(answer) => answer.map_err(|error| PortError::Lost(error.to_string())),
                Err(_) => Err(PortError::Deadline),
            }
        })
    }
}
