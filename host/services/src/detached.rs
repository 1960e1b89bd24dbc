//! Work that runs to its end even if the caller goes away, as a browser does that closes its
//! connection.

use tracing::Instrument;

use jackfield_store::{StoreError, StoreResult};

/// Runs the work as a task of its own, in the caller's span, and waits for it.
pub(crate) async fn run_detached<T: Send + 'static>(
    work: impl Future<Output = StoreResult<T>> + Send + 'static,
) -> StoreResult<T> {
    tokio::spawn(work.in_current_span()).await.map_err(|error| StoreError::Lost(error.to_string()))?
}
