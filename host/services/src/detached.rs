//! Work that runs to its end even if the caller goes away, as a browser does that closes its
//! connection.

use tracing::Instrument;

use jackfield_store::{StoreError, StoreResult};

/// Starts the work as a task of its own, in the caller's span. The returned future waits for its
/// end.
pub(crate) fn run_detached<T: Send + 'static>(
    work: impl Future<Output = StoreResult<T>> + Send + 'static,
) -> impl Future<Output = StoreResult<T>> {
    let task = tokio::spawn(work.in_current_span());
    async move { task.await.map_err(|error| StoreError::Lost(error.to_string()))? }
}
