//! What is left of a request's body when its answer is there.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::body::{Bytes, HttpBody};
use parking_lot::Mutex;
use tokio::time::timeout;

/// Most bytes that are read to keep a connection, and the longest time for that. Refused forms are
/// shorter; for more, a new connection is cheaper.
const QUICK_BYTES: u64 = 64 << 10;
const QUICK: Duration = Duration::from_millis(100);

/// The rest of one body.
pub(super) struct RequestRest<B>(Arc<Shared<B>>);

struct Shared<B> {
    rest: Mutex<Rest<B>>,
    is_answered: AtomicBool,
}

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
        Self(Arc::new(Shared { rest: Mutex::new(Rest::InUse), is_answered: AtomicBool::new(false) }))
    }
}

impl<B> RequestRest<B> {
    /// The body is read to its end.
    pub(super) fn is_read(&self) {
        *self.0.rest.lock() = Rest::Read;
    }

    /// Nobody reads on.
    pub(super) fn is_left(&self, body: B) {
        let mut rest = self.0.rest.lock();
        if matches!(*rest, Rest::InUse) {
            *rest = Rest::Left(body);
        }
    }

    /// The head of the answer is there.
    pub(super) fn answer(&self) {
        self.0.is_answered.store(true, Ordering::Relaxed);
    }

    /// Whether the answer has begun while the body still comes. The two talk to each other then,
    /// and who of them may be silent for how long is for the handler to say.
    pub(super) fn is_answered(&self) -> bool {
        self.0.is_answered.load(Ordering::Relaxed)
    }

    fn take(&self) -> Rest<B> {
        std::mem::replace(&mut *self.0.rest.lock(), Rest::InUse)
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
