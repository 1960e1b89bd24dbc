//! Requests whose body and answer are forwarded as they come, in both directions at once.
//!
//! Every guard holds here too. No limit of time or size holds for the whole exchange: it ends when
//! nothing moves any more.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use url::Url;

use super::{
    Outbound, OutboundError,
    connection_share::Share,
    idle_timer::{Expiry, IdleTimer},
    outgoing::{Outgoing, OutgoingBody},
};

/// The body of an answer, as it comes.
pub struct Incoming {
    body: hyper::body::Incoming,
    expiry: Expiry,
    /// The service's connection has one call less when the body is dropped.
    _share: Share,
}

impl Outbound {
    /// Sends one request to a URL and returns as soon as the head of the answer is there, of any
    /// status; no redirect is followed.
    ///
    /// # Errors
    /// When a guard refuses, no answer comes, or nothing moves in either direction for
    /// `idle_timeout`.
    pub async fn send_streamed(
        &self,
        url: &Url,
        request: Request<Outgoing>,
        idle_timeout: Duration,
    ) -> Result<Response<Incoming>, OutboundError> {
        let idle = IdleTimer::new(idle_timeout);
        let mut expiry = Expiry::new(idle.clone());
        let request = request.map(|body| OutgoingBody::new(body, idle));
        let exchanged = {
            let mut exchange = pin!(self.exchange(url, request));
            poll_fn(|context| match exchange.as_mut().poll(context) {
                Poll::Pending => expiry.poll(context).map(Err),
                answer => answer,
            })
            .await
        };
        let (answer, share) = exchanged?;
        Ok(answer.map(|body| Incoming { body, expiry, _share: share }))
    }

    async fn exchange(
        &self,
        url: &Url,
        mut request: Request<OutgoingBody>,
    ) -> Result<(Response<hyper::body::Incoming>, Share), OutboundError> {
        let to = self.prepare(url, request.headers_mut()).await?;
        *request.uri_mut() = to.as_str().parse().map_err(|_| OutboundError::Url)?;
        let (answer, share) = self.streaming_client(to).execute(request).await?;
        self.check_stand_in_failure(answer.headers())?;
        Ok((answer, share))
    }
}

impl Incoming {
    /// The next piece, or the trailers; `None` at the end.
    ///
    /// # Errors
    /// When the connection is cut, or nothing moves any more.
    pub fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, OutboundError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                self.expiry.restart();
                Poll::Ready(frame.map(|frame| frame.map_err(|error| OutboundError::from(&error))))
            }
            Poll::Pending => self.expiry.poll(context).map(|error| Some(Err(error))),
        }
    }

    /// The same, for one who waits.
    ///
    /// # Errors
    /// As [`Incoming::poll_frame`].
    pub async fn frame(&mut self) -> Result<Option<Frame<Bytes>>, OutboundError> {
        self.waits_anew();
        poll_fn(|context| self.poll_frame(context)).await.transpose()
    }

    /// The time until now was the reader's and not the service's.
    pub fn waits_anew(&self) {
        self.expiry.restart();
    }

    /// Whether nothing follows, not even an end.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.body.is_end_stream()
    }
}
