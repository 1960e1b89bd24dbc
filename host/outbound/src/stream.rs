//! Requests whose body and answer are forwarded as they come, in both directions at once.
//!
//! Every guard holds here too. No limit of time or size holds for the whole exchange: it ends when
//! nothing moves any more.

use std::{future::poll_fn, io, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use http::{Request, Response};
use http_body::{Body, Frame};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Outbound, OutboundError};

/// The body of a request.
pub enum Outgoing {
    /// All of it; may be empty.
    Whole(Bytes),
    /// As it comes.
    Stream(BoxStream<'static, io::Result<Bytes>>),
}

/// The body of an answer, as it comes.
pub struct Incoming {
    body: hyper::body::Incoming,
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
        let request = request.map(|body| body.watched_by(&idle));
        let mut request = reqwest::Request::try_from(request).map_err(|_| OutboundError::Url)?;
        tokio::select! {
            prepared = self.prepare(&mut request) => prepared?,
            error = idle.expired() => return Err(error),
        }
        let answer = tokio::select! {
            answer = self.streaming_client(request.url()).execute(request) => answer?,
            error = idle.expired() => return Err(error),
        };
        self.check_stand_in_failure(answer.headers())?;
        Ok(answer.map(|body| Incoming { body, idle }))
    }
}

impl Outgoing {
    fn watched_by(self, idle: &IdleTimer) -> reqwest::Body {
        match self {
            Self::Whole(bytes) => bytes.into(),
            Self::Stream(chunks) => {
                let idle = idle.clone();
                reqwest::Body::wrap_stream(chunks.inspect(move |_| idle.restart()))
            }
        }
    }
}

impl Incoming {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When the connection is cut, or nothing moves any more.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, OutboundError> {
        // The time that the reader took for the piece before is not the service's.
        self.idle.restart();
        tokio::select! {
            chunk = next_chunk(&mut self.body) => chunk.map_err(|error| OutboundError::from(&error)),
            error = self.idle.expired() => Err(error),
        }
    }
}

/// Trailers are dropped.
async fn next_chunk(body: &mut hyper::body::Incoming) -> Result<Option<Bytes>, hyper::Error> {
    loop {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await.transpose()?;
        match frame.map(Frame::into_data) {
            Some(Ok(chunk)) => return Ok(Some(chunk)),
            Some(Err(_)) => {}
            None => return Ok(None),
        }
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
