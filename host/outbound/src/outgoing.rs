//! The body of a request, as the client sends it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, stream::BoxStream};
use http_body::{Body, Frame, SizeHint};

use super::idle_timer::IdleTimer;

/// The body of a request.
pub enum Outgoing {
    /// All of it; may be empty.
    Whole(Bytes),
    /// As it comes, with its trailers.
    Stream(BoxStream<'static, io::Result<Frame<Bytes>>>),
}

/// The same on its way.
pub(super) struct OutgoingBody {
    outgoing: Outgoing,
    /// Restarted by each frame of a stream.
    idle: IdleTimer,
}

impl OutgoingBody {
    pub(super) const fn new(outgoing: Outgoing, idle: IdleTimer) -> Self {
        Self { outgoing, idle }
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut self.outgoing {
            Outgoing::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Outgoing::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Outgoing::Stream(frames) => {
                let polled = Pin::new(frames).poll_next(context);
                if polled.is_ready() {
                    self.idle.restart();
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.outgoing, Outgoing::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.outgoing {
            Outgoing::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Outgoing::Stream(_) => SizeHint::default(),
        }
    }
}
