//! Bodies of requests that must not come too slowly, and that say what is left of them.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};

use super::{activity::Activity, pace::Pace, request_rest::RequestRest};

/// The body of a request. It fails if it hardly comes.
pub(super) struct PacedBody<B: HttpBody> {
    /// `None` once it is given back.
    inner: Option<B>,
    rest: RequestRest<B>,
    pace: Pace,
    activity: Arc<Activity>,
}

impl<B: HttpBody> PacedBody<B> {
    pub(super) fn new(inner: B, rest: RequestRest<B>, activity: Arc<Activity>) -> Self {
        if inner.is_end_stream() {
            rest.is_read();
        }
        Self { inner: Some(inner), rest, pace: Pace::default(), activity }
    }
}

impl<B: HttpBody> Drop for PacedBody<B> {
    fn drop(&mut self) {
        if let Some(body) = self.inner.take() {
            self.rest.is_left(body);
        }
    }
}

impl<B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Unpin> HttpBody for PacedBody<B> {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let polled = Pin::new(&mut *inner).poll_frame(context);
        let is_at_end = inner.is_end_stream();
        match polled {
            Poll::Ready(frame) => {
                if frame.is_none() || is_at_end {
                    self.rest.is_read();
                }
                let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
                self.pace.moved(bytes);
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending if self.rest.is_answered() => Poll::Pending,
            Poll::Pending => {
                ready!(self.pace.poll_too_slow(context));
                self.activity.is_too_slow("a body");
                Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, "the body comes too slowly").into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}
