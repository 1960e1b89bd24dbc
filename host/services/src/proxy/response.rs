//! The answer's body on its way to the caller.
//!
//! An answer that has come whole with its head is handed on as it is. Any other is read as the
//! caller takes it. Nobody asks for more while the caller takes nothing, so a task ends the call
//! when that lasts for the idle time, and closes the connection to the service.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::{task::AbortHandle, time::Instant};

use super::{access_log::AccessLogEntry, trailers};
use jackfield_outbound::{Incoming, OutboundError};

/// The body of an answer.
pub struct ResponseBody(Source);

enum Source {
    /// All of it is here. Logged when it is handed on, so before the caller can have it.
    Whole(Bytes, Option<AccessLogEntry>),
    Streamed(Streamed),
}

/// A body that is still coming.
struct Streamed {
    exchange: Arc<Mutex<Exchange>>,
    watcher: AbortHandle,
}

/// What the caller's connection and the task share.
struct Exchange {
    /// What has come with the head.
    pieces: VecDeque<Piece>,
    /// `None` once the caller has taken nothing for too long.
    body: Option<Incoming>,
    log: Option<AccessLogEntry>,
    /// Since when the caller has a piece and does not ask for the next; `None` while it waits.
    with_caller_since: Option<Instant>,
    idle_timeout: Duration,
}

type Piece = Result<Frame<Bytes>, OutboundError>;

/// What has come of a body with its head.
enum Begun {
    Whole(Bytes),
    Part(VecDeque<Piece>),
}

/// Forwards the body of an answer and logs the call at its end. The caller may take nothing of it
/// for `idle_timeout` at most.
pub(super) async fn forward(mut body: Incoming, log: AccessLogEntry, idle_timeout: Duration) -> ResponseBody {
    let begun = poll_fn(|context| Poll::Ready(begun(context, &mut body))).await;
    ResponseBody(match begun {
        Begun::Whole(bytes) => Source::Whole(bytes, Some(log)),
        Begun::Part(pieces) => {
            let with_caller_since = Some(Instant::now());
            let exchange = Exchange { pieces, body: Some(body), log: Some(log), with_caller_since, idle_timeout };
            let exchange = Arc::new(Mutex::new(exchange));
            let watcher = tokio::spawn(watch(exchange.clone(), idle_timeout)).abort_handle();
            Source::Streamed(Streamed { exchange, watcher })
        }
    })
}

/// Looks at what has come, and waits for nothing.
fn begun(context: &mut Context<'_>, body: &mut Incoming) -> Begun {
    let mut pieces: VecDeque<Piece> = VecDeque::new();
    loop {
        if body.is_at_end() {
            return finished(pieces);
        }
        match body.poll_frame(context) {
            Poll::Ready(None) => return finished(pieces),
            Poll::Pending => return Begun::Part(pieces),
            Poll::Ready(Some(piece)) => {
                let is_last = piece.is_err() || !pieces.is_empty();
                pieces.push_back(piece.map(trailers::of_an_answer));
                if is_last {
                    return Begun::Part(pieces);
                }
            }
        }
    }
}

/// All of a body is here: at most one piece.
fn finished(mut pieces: VecDeque<Piece>) -> Begun {
    match pieces.pop_front().map(|piece| piece.map(Frame::into_data)) {
        None => Begun::Whole(Bytes::new()),
        Some(Ok(Ok(bytes))) => Begun::Whole(bytes),
        Some(Ok(Err(trailers))) => Begun::Part(VecDeque::from([Ok(trailers)])),
        Some(Err(error)) => Begun::Part(VecDeque::from([Err(error)])),
    }
}

/// Ends the call when the caller takes nothing for too long.
async fn watch(exchange: Arc<Mutex<Exchange>>, idle_timeout: Duration) {
    loop {
        let since = exchange.lock().with_caller_since.unwrap_or_else(Instant::now);
        tokio::time::sleep_until(since + idle_timeout).await;
        if exchange.lock().end_if_idle() {
            return;
        }
    }
}

impl Exchange {
    /// Ends the call if the caller has taken nothing for too long, and returns whether it did.
    fn end_if_idle(&mut self) -> bool {
        let is_idle = self.with_caller_since.is_some_and(|since| since.elapsed() >= self.idle_timeout);
        if is_idle {
            self.body = None;
            self.pieces.clear();
            if let Some(mut log) = self.log.take() {
                log.not_read(self.idle_timeout);
            }
        }
        is_idle
    }

    /// The next piece; `None` at the end.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Piece>> {
        let was_with_caller = self.with_caller_since.take().is_some();
        let piece = match (self.pieces.pop_front(), &mut self.body) {
            (Some(piece), _) => Some(piece),
            (None, Some(body)) => {
                if was_with_caller {
                    body.waits_anew();
                }
                ready!(body.poll_frame(context)).map(|piece| piece.map(trailers::of_an_answer))
            }
            (None, None) => Some(Err(OutboundError::Idle(self.idle_timeout))),
        };
        self.with_caller_since = Some(Instant::now());
        if let Some(log) = &mut self.log {
            match &piece {
                Some(Ok(frame)) => log.forwarded(frame.data_ref()),
                Some(Err(error)) => log.cut(error),
                None => log.forwarded(None),
            }
        }
        Poll::Ready(piece)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = OutboundError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, OutboundError>>> {
        match &mut self.0 {
            Source::Whole(bytes, log) => {
                if let Some(mut log) = log.take() {
                    log.forwarded(Some(bytes));
                    log.forwarded(None);
                }
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Source::Streamed(streamed) => streamed.exchange.lock().poll_piece(context),
        }
    }

    /// Not before it was asked for: an answer without a body can still be one to a `HEAD`, whose
    /// length is not ours to say.
    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Source::Whole(bytes, None) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Whole(bytes, _) if !bytes.is_empty() => SizeHint::with_exact(bytes.len() as u64),
            _ => SizeHint::default(),
        }
    }
}

/// Logs at once, also when the caller goes away, and before the caller can know that it has all.
impl Drop for Streamed {
    fn drop(&mut self) {
        self.watcher.abort();
        let mut exchange = self.exchange.lock();
        exchange.body = None;
        drop(exchange.log.take());
    }
}
