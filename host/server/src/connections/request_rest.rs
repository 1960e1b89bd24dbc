//! What is left of a request's body when its answer is there.

use std::{future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use axum::body::{Bytes, HttpBody};
use parking_lot::Mutex;
use tokio::time::timeout;

/// Most bytes that are read to keep a connection, and the longest time for that. Refused forms are
/// shorter; for more, a new connection is cheaper.
const QUICK_BYTES: u64 = 64 << 10;
const QUICK: Duration = Duration::from_millis(100);

/// The rest of one body.
pub(super) struct RequestRest<B>(Arc<Mutex<Rest<B>>>);

enum Rest<B> {
    /// Somebody may still read it.
    InUse,
    /// There is none.
    Read,
    /// Nobody wants it.
    Left(B),
}

impl<B> Clone for RequestRest<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B> Default for RequestRest<B> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Rest::InUse)))
    }
}

impl<B> RequestRest<B> {
    /// The body is read to its end.
    pub(super) fn is_read(&self) {
        *self.0.lock() = Rest::Read;
    }

    /// Nobody reads on.
    pub(super) fn is_left(&self, body: B) {
        let mut rest = self.0.lock();
        if matches!(*rest, Rest::InUse) {
            *rest = Rest::Left(body);
        }
    }

    fn take(&self) -> Rest<B> {
        std::mem::replace(&mut *self.0.lock(), Rest::InUse)
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> RequestRest<B> {
    /// Whether nothing is left, so that another request can follow. A little is read for that,
    /// unless the client waits for leave to send it: to read would be to give the leave.
    pub(super) async fn is_empty(&self, awaits_leave: bool) -> bool {
        match self.take() {
            Rest::Read => true,
            Rest::InUse => false,
            Rest::Left(body) if awaits_leave || body.size_hint().lower() > QUICK_BYTES => false,
            Rest::Left(body) => timeout(QUICK, is_soon_read(body)).await.unwrap_or(false),
        }
    }
}

async fn is_soon_read<B: HttpBody<Data = Bytes> + Unpin>(mut body: B) -> bool {
    let mut length = 0;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(frame) = frame else { return false };
        length += frame.data_ref().map_or(0, Bytes::len) as u64;
        if length > QUICK_BYTES {
            return false;
        }
    }
    true
}
