//! How far the downloads and uploads of a stand-in are, for a test that paces them.

use tokio::sync::{Semaphore, watch};

/// The streams of a stand-in.
pub(super) struct Streams {
    pub(super) chunks: Semaphore,
    pub(super) uploaded: watch::Sender<usize>,
}

impl Default for Streams {
    fn default() -> Self {
        Self { chunks: Semaphore::new(0), uploaded: watch::Sender::default() }
    }
}

impl Streams {
    pub(super) fn send_chunks(&self, count: usize) {
        self.chunks.add_permits(count);
    }

    pub(super) async fn uploaded(&self, bytes: usize) {
        // It cannot be closed while `self` holds the sender.
        let _ = self.uploaded.subscribe().wait_for(|uploaded| *uploaded >= bytes).await;
    }
}
