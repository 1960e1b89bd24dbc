//! Requests whose body and answer are handed on as they come, both at once, with every guard that holds for others. There is no limit of time
//! or size for all of it: it ends when nothing moves any more.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use http::{HeaderMap, Request, Response, StatusCode};
use tokio::time::Instant;

use super::{Outbound, OutboundError, described, stand_in};

/// What is sent.
pub enum Outgoing {
    /// All of it, as far as there is any.
    Whole(Bytes),
    /// As it comes.
    Stream(BoxStream<'static, io::Result<Bytes>>),
}

/// The body of an answer, as it comes.
pub struct Incoming {
    response: reqwest::Response,
    idle: Idle,
}

/// Since when nothing has moved, neither way.
#[derive(Clone)]
struct Idle {
    since: Arc<Mutex<Instant>>,
    limit: Duration,
}

impl Outbound {
    /// Sends one request and answers with the head of what comes back, of any status; nothing is followed. Fails when nothing has moved for
    /// the time of `idle`, neither way.
    ///
    /// # Errors
    /// When a guard refuses, or no answer comes.
    pub async fn open(&self, request: Request<Outgoing>, idle: Duration) -> Result<Response<Incoming>, OutboundError> {
        let idle = Idle::new(idle);
        let request = request.map(|body| body.moving(&idle));
        let mut request = reqwest::Request::try_from(request).map_err(|_| OutboundError::Url)?;
        tokio::select! {
            prepared = self.prepare(&mut request) => prepared?,
            error = idle.over() => return Err(error),
        }
        let mut response = tokio::select! {
            answer = self.clients.of(request.url()).streaming.execute(request) => answer.map_err(|error| described(&error))?,
            error = idle.over() => return Err(error),
        };
        if self.stand_in.is_some() {
            stand_in::check_failure(response.headers())?;
        }
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        Ok(answered(status, headers, Incoming { response, idle }))
    }
}

fn answered(status: StatusCode, headers: HeaderMap, body: Incoming) -> Response<Incoming> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

impl Outgoing {
    fn moving(self, idle: &Idle) -> reqwest::Body {
        match self {
            Self::Whole(bytes) => bytes.into(),
            Self::Stream(chunks) => {
                let idle = idle.clone();
                reqwest::Body::wrap_stream(chunks.inspect(move |_| idle.moved()))
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
        // The time that whoever reads this took for the piece before is not the service's.
        self.idle.moved();
        tokio::select! {
            chunk = self.response.chunk() => chunk.map_err(|error| described(&error)),
            error = self.idle.over() => Err(error),
        }
    }
}

impl Idle {
    fn new(limit: Duration) -> Self {
        Self { since: Arc::new(Mutex::new(Instant::now())), limit }
    }

    fn moved(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn ends(&self) -> Instant {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) + self.limit
    }

    async fn over(&self) -> OutboundError {
        while self.ends() > Instant::now() {
            tokio::time::sleep_until(self.ends()).await;
        }
        OutboundError::Idle(self.limit)
    }
}
