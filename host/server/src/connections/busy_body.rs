//! Bodies of answers: they keep their connection busy, and one that breaks off has gone out as far
//! as it came.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};

use super::{activity::Busy, stream_watch::StreamWatch, under_way::Counted};

/// Bytes of a frame of HTTP/2 that every client takes (RFC 9113 section 4.2).
const PIECE: usize = 16 << 10;

/// The body of an answer. Until it is dropped, its connection is busy.
pub(super) struct BusyBody {
    inner: Body,
    busy: Busy,
    /// `None` for an answer that is not counted.
    _counted: Option<Counted>,
    broken: Option<Broken>,
    /// What follows the piece that was handed over.
    rest: Bytes,
    /// Over HTTP/2.
    stream: Option<Arc<StreamWatch>>,
}

/// The body has failed. The HTTP library drops the connection at once then, with all that it has
/// not sent yet, so it gets the error after its next flush.
struct Broken {
    error: axum::Error,
    flushes_before: u64,
    /// Over HTTP/2 another task flushes.
    flushed: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl BusyBody {
    pub(super) fn new(inner: Body, busy: Busy, counted: Option<Counted>, stream: Option<Arc<StreamWatch>>) -> Self {
        Self { inner, busy, _counted: counted, broken: None, rest: Bytes::new(), stream }
    }

    fn breaks(&mut self, error: axum::Error, context: &Context<'_>) {
        let flushed = self.stream.is_some().then(|| Box::pin(self.busy.flushed()) as _);
        self.broken = Some(Broken { error, flushes_before: self.busy.flushes(), flushed });
        // The library flushes when there is nothing more to write, and asks again.
        context.waker().wake_by_ref();
    }

    /// The error, once it may be said.
    fn poll_broken(&mut self, context: &mut Context<'_>) -> Poll<axum::Error> {
        let flushes = self.busy.flushes();
        let is_flushed = self.broken.as_mut().is_some_and(|broken| match &mut broken.flushed {
            Some(flushed) => flushed.as_mut().poll(context).is_ready(),
            None => broken.flushes_before < flushes,
        });
        match self.broken.take_if(|_| is_flushed) {
            Some(Broken { error, .. }) => Poll::Ready(error),
            None => Poll::Pending,
        }
    }

    /// Over HTTP/2 one piece at once, so that little waits for a client that keeps its
    /// window shut: the library takes all of it once there is room for a byte.
    fn hand_over(&mut self, mut data: Bytes) -> Bytes {
        if let Some(stream) = &self.stream {
            self.rest = data.split_off(data.len().min(PIECE));
            stream.hand_over(data.len());
        }
        data
    }
}

impl HttpBody for BusyBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(stream) = &self.stream {
            stream.is_taken();
        }
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(Frame::data(self.hand_over(rest)))));
        }
        if self.broken.is_none() {
            match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Err(error)) => self.breaks(error, context),
                Some(Ok(frame)) => return Poll::Ready(Some(Ok(frame.map_data(|data| self.hand_over(data))))),
                None => return Poll::Ready(None),
            }
        }
        self.poll_broken(context).map(|error| Some(Err(error)))
    }

    fn is_end_stream(&self) -> bool {
        self.broken.is_none() && self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
