//! Bodies of answers: they keep their connection busy, and one that breaks off has gone out as far
//! as it came.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};

use super::activity::Busy;

/// The body of an answer. Until it is dropped, its connection is busy.
pub(super) struct BusyBody {
    inner: Body,
    busy: Busy,
    broken: Option<Broken>,
}

/// The body has failed. The HTTP library drops the connection at once then, with all that it has
/// not sent yet, so it gets the error after its next flush.
struct Broken {
    error: axum::Error,
    flushes_before: u64,
}

impl BusyBody {
    pub(super) fn new(inner: Body, busy: Busy) -> Self {
        Self { inner, busy, broken: None }
    }
}

impl HttpBody for BusyBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.broken.is_none() {
            match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Err(error)) => {
                    self.broken = Some(Broken { error, flushes_before: self.busy.flushes() });
                    // The library flushes when there is nothing more to write, and asks again.
                    context.waker().wake_by_ref();
                }
                frame => return Poll::Ready(frame),
            }
        }
        let flushes = self.busy.flushes();
        match self.broken.take_if(|broken| broken.flushes_before < flushes) {
            Some(Broken { error, .. }) => Poll::Ready(Some(Err(error))),
            None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.broken.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
