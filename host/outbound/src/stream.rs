//! Requests whose body and answer are forwarded as they come, in both directions at once.
//!
//! Every guard holds here too. No limit of time or size holds for the whole exchange: it ends when
//! nothing moves any more.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, stream::BoxStream};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Outbound, OutboundError, connection_share::Share};

/// The body of a request.
pub enum Outgoing {
    /// All of it; may be empty.
    Whole(Bytes),
    /// As it comes, with its trailers.
    Stream(BoxStream<'static, io::Result<Frame<Bytes>>>),
}

/// The body of an answer, as it comes.
pub struct Incoming {
    body: hyper::body::Incoming,
    idle: IdleTimer,
    /// The service's connection has one call less when the body is dropped.
    _share: Share,
}

/// The body of a request on its way to the service.
pub(super) struct SentBody {
    outgoing: Outgoing,
    idle: IdleTimer,
}

/// How long nothing has moved in either direction.
#[derive(Clone)]
struct IdleTimer {
    last_moved: Arc<Mutex<Instant>>,
    limit: Duration,
}

impl Outbound {
    /// Sends one request and returns as soon as the head of the answer is there, of any status; no
    /// redirect is followed.
    ///
    /// # Errors
    /// When a guard refuses, no answer comes, or nothing moves in either direction for
    /// `idle_timeout`.
    pub async fn send_streamed(
        &self,
        request: Request<Outgoing>,
        idle_timeout: Duration,
    ) -> Result<Response<Incoming>, OutboundError> {
        let idle = IdleTimer::new(idle_timeout);
        let (head, outgoing) = request.into_parts();
        let request = Request::from_parts(head, reqwest::Body::default());
        let mut request = reqwest::Request::try_from(request).map_err(|_| OutboundError::Url)?;
        tokio::select! {
            prepared = self.prepare(&mut request) => prepared?,
            error = idle.expired() => return Err(error),
        }
        let body = SentBody { outgoing, idle: idle.clone() };
        let (answer, share) = tokio::select! {
            answer = self.streaming_client(request.url()).execute(request, body) => answer?,
            error = idle.expired() => return Err(error),
        };
        self.check_stand_in_failure(answer.headers())?;
        Ok(answer.map(|body| Incoming { body, idle, _share: share }))
    }
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
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

impl Incoming {
    /// The next piece, or the trailers; `None` at the end.
    ///
    /// # Errors
    /// When the connection is cut, or nothing moves any more.
    pub async fn frame(&mut self) -> Result<Option<Frame<Bytes>>, OutboundError> {
        // The time that the reader took for the piece before is not the service's.
        self.idle.restart();
        tokio::select! {
            frame = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)) => {
                frame.transpose().map_err(|error| OutboundError::from(&error))
            }
            error = self.idle.expired() => Err(error),
        }
    }

    /// Whether nothing follows, not even an end: the service has said so with the head.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.body.is_end_stream()
    }
}

impl IdleTimer {
    fn new(limit: Duration) -> Self {
        Self { last_moved: Arc::new(Mutex::new(Instant::now())), limit }
    }

    fn restart(&self) {
        *self.last_moved.lock() = Instant::now();
    }

    fn deadline(&self) -> Instant {
        *self.last_moved.lock() + self.limit
    }

    async fn expired(&self) -> OutboundError {
        while self.deadline() > Instant::now() {
            tokio::time::sleep_until(self.deadline()).await;
        }
        OutboundError::Idle(self.limit)
    }
}
