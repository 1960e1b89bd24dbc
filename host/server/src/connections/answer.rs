//! One request and its answer, over either version of HTTP.

use std::{convert::Infallible, future::Future, net::SocketAddr, sync::Arc};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{
    Request, Response,
    body::Incoming,
    header::{CONNECTION, EXPECT, HeaderValue},
};
use tower::ServiceExt;

use super::{
    activity::{Activity, Busy},
    busy_body::BusyBody,
    http2_request::in_the_form_of_http1,
    paced_body::PacedBody,
    request_count::End,
    request_rest::RequestRest,
    stream_watch::STREAM,
    under_way::{Counted, TooMany, UnderWay},
};

/// Most bytes of a request head, and of what is buffered of a body.
pub(super) const BUFFER: usize = 64 * 1024;

/// What the requests of one connection have in common.
pub(super) struct Answerer {
    pub(super) router: Router,
    pub(super) activity: Arc<Activity>,
    pub(super) requests: Arc<UnderWay>,
    pub(super) peer: Option<SocketAddr>,
}

/// A request that has begun.
struct Begun {
    busy: Busy,
    counted: Option<Counted>,
    request: Request<Body>,
    rest: RequestRest<Incoming>,
}

type Answer = Result<Response<BusyBody>, Infallible>;

impl Answerer {
    /// Answers a request of HTTP/1.1. What is left of its body is read, or the connection ends.
    pub(super) fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Answer> + Send + use<> {
        let (router, activity) = (self.router.clone(), self.activity.clone());
        let Begun { busy, counted, request, rest } = self.begin(request);
        async move {
            let awaits_leave = request.headers().contains_key(EXPECT);
            let mut response = router.oneshot(request).await?;
            if !rest.is_empty(awaits_leave).await {
                activity.leave_unread();
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            rest.answer();
            Ok(response.map(|body| BusyBody::new(body, busy, counted, None)))
        }
    }

    /// Answers a request of HTTP/2. What is left of its body is dropped with its stream.
    pub(super) fn answer_stream(&self, request: Request<Incoming>) -> impl Future<Output = Answer> + Send + use<> {
        let (mut head, body) = request.into_parts();
        in_the_form_of_http1(&mut head);
        let router = self.router.clone();
        let unanswered = Unanswered(Some(self.activity.clone()));
        let Begun { busy, counted, request, rest } = self.begin(Request::from_parts(head, body));
        async move {
            let response = router.oneshot(request).await?;
            unanswered.answered();
            rest.answer();
            let stream = STREAM.try_with(Arc::clone).ok();
            Ok(response.map(|body| BusyBody::new(body, busy, counted, stream)))
        }
    }

    fn begin(&self, request: Request<Incoming>) -> Begun {
        let (busy, rest) = (self.activity.begin(), RequestRest::default());
        let mut request = request.map(|body| Body::new(PacedBody::new(body, rest.clone(), self.activity.clone())));
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        let counted = self.requests.begin();
        if counted.is_none() {
            request.extensions_mut().insert(TooMany);
        }
        Begun { busy, counted, request, rest }
    }
}

/// A request of HTTP/2 whose answer has not begun. Dropped before, it was taken back.
struct Unanswered(Option<Arc<Activity>>);

impl Unanswered {
    fn answered(mut self) {
        if let Some(activity) = self.0.take() {
            activity.ended(End::Answered);
        }
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(activity) = self.0.take() {
            activity.ended(End::TakenBack);
        }
    }
}
