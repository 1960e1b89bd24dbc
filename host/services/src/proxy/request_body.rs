//! The caller's body: forwarded as it comes, and buffered while it is small, so that it can be sent
//! again.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_util::{
    Stream, StreamExt,
    stream::{BoxStream, poll_fn},
};
use http::HeaderName;
use http_body::Frame;
use parking_lot::Mutex;

use super::trailers;
use jackfield_outbound::Outgoing;

/// Longest body that is buffered.
const BUFFERED_BYTES: u64 = 64 * 1024;

/// The body of one call.
#[derive(Clone)]
pub(super) struct RequestBody(Option<Arc<Mutex<Source>>>);

/// A caller's body as it comes, with its trailers.
pub type BodyFrames = BoxStream<'static, io::Result<Frame<Bytes>>>;

struct Source {
    rest: BodyFrames,
    /// What has come so far; `None` once that is too long to buffer.
    buffer: Option<Vec<Frame<Bytes>>>,
    /// The provider's own headers, which no trailer may have the name of.
    of_the_provider: Vec<HeaderName>,
    length: u64,
    max_length: u64,
    /// The attempt that may read: an earlier one may still be in progress somewhere.
    attempt: u32,
    /// Wakes the attempt that waits for more.
    waker: Option<Waker>,
    error: Option<BodyError>,
}

/// Why a body cannot be forwarded completely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is larger than the limit.
    TooLarge,
    /// The caller's connection was cut.
    Cut,
}

impl RequestBody {
    /// `of_the_provider` are the headers that the provider adds to a call.
    pub(super) fn new(body: Option<BodyFrames>, max_length: u64, of_the_provider: Vec<HeaderName>) -> Self {
        Self(body.map(|rest| {
            let source = Source {
                rest,
                buffer: Some(Vec::new()),
                of_the_provider,
                length: 0,
                max_length,
                attempt: 0,
                waker: None,
                error: None,
            };
            Arc::new(Mutex::new(source))
        }))
    }

    /// The body from its beginning, for one attempt. Call [`RequestBody::rewind`] before the next.
    pub(super) fn outgoing(&self) -> Outgoing {
        let Some(source) = self.0.clone() else { return Outgoing::Whole(Bytes::new()) };
        let attempt = source.lock().attempt;
        let mut position = 0;
        let chunks = poll_fn(move |context| source.lock().poll(context, attempt, &mut position));
        Outgoing::Stream(chunks.boxed())
    }

    /// Takes the body away from the attempt in progress, if it can be sent from its beginning once
    /// more. Else nothing changes. This is one step: between a question and a rewind, the attempt
    /// could read more than is buffered.
    pub(super) fn rewind(&self) -> bool {
        let Some(source) = self.0.as_deref() else { return true };
        let mut source = source.lock();
        let is_complete = source.buffer.is_some() && source.error.is_none();
        if is_complete {
            source.end_attempt();
        }
        is_complete
    }

    /// Ends the attempt in progress, because the call is over.
    pub(super) fn abort(&self) {
        if let Some(source) = self.0.as_deref() {
            source.lock().end_attempt();
        }
    }

    pub(super) fn error(&self) -> Option<BodyError> {
        self.0.as_deref().and_then(|source| source.lock().error)
    }

    /// How many bytes have been read.
    pub(super) fn length(&self) -> u64 {
        self.0.as_deref().map_or(0, |source| source.lock().length)
    }
}

impl Source {
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        attempt: u32,
        position: &mut usize,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if attempt != self.attempt {
            return Poll::Ready(Some(Err(io::Error::other("another attempt has begun"))));
        }
        if let Some(frame) = self.buffer.as_ref().and_then(|buffer| buffer.get(*position)) {
            *position += 1;
            return Poll::Ready(Some(Ok(trailers::copied(frame))));
        }
        let next = Pin::new(&mut self.rest).poll_next(context);
        self.waker = next.is_pending().then(|| context.waker().clone());
        next.map(|next| next.map(|frame| self.received(frame, position)))
    }

    /// Wakes the attempt that waits, so that its connection does not hang.
    fn end_attempt(&mut self) {
        self.attempt += 1;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn received(&mut self, frame: io::Result<Frame<Bytes>>, position: &mut usize) -> io::Result<Frame<Bytes>> {
        let frame = frame.inspect_err(|_| self.error = Some(BodyError::Cut))?;
        let frame = trailers::of_a_request(frame, &self.of_the_provider);
        self.length += frame.data_ref().map_or(0, Bytes::len) as u64;
        if self.length > self.max_length {
            self.error = Some(BodyError::TooLarge);
            return Err(io::Error::other("the body is too large"));
        }
        if self.length > BUFFERED_BYTES {
            self.buffer = None;
        }
        if let Some(buffer) = &mut self.buffer {
            buffer.push(trailers::copied(&frame));
            *position += 1;
        }
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{TryStreamExt, stream};

    use super::*;

    fn new(body: Option<BodyFrames>, max_length: u64) -> RequestBody {
        RequestBody::new(body, max_length, Vec::new())
    }

    fn body(chunks: &[usize], max_length: u64) -> RequestBody {
        let chunks: Vec<_> = chunks.iter().map(|length| Ok(Frame::data(Bytes::from(vec![b'x'; *length])))).collect();
        new(Some(stream::iter(chunks).boxed()), max_length)
    }

    fn stream_of(body: &RequestBody) -> BodyFrames {
        match body.outgoing() {
            Outgoing::Stream(frames) => frames,
            Outgoing::Whole(_) => panic!("there is a body"),
        }
    }

    async fn read(mut frames: BodyFrames) -> io::Result<usize> {
        let mut length = 0;
        while let Some(frame) = frames.try_next().await? {
            length += frame.data_ref().map_or(0, Bytes::len);
        }
        Ok(length)
    }

    #[tokio::test]
    async fn a_small_body_can_be_sent_again_also_after_only_a_part_of_it() {
        let body = body(&[10, 20, 30], 1000);
        let mut first = stream_of(&body);
        assert!(first.try_next().await.is_ok_and(|chunk| chunk.is_some()));
        assert!(body.rewind());
        assert!(first.try_next().await.is_err(), "the first gets no more of it");
        assert_eq!(read(stream_of(&body)).await.ok(), Some(60));
        assert!(body.rewind());
        assert_eq!(read(stream_of(&body)).await.ok(), Some(60));
        assert_eq!(body.length(), 60);
    }

    #[tokio::test]
    async fn a_large_body_is_forwarded_and_not_buffered() {
        let body = body(&[60_000, 60_000], 1_000_000);
        assert!(body.rewind(), "while nothing of it was sent");
        let mut sent = stream_of(&body);
        for _ in 0..2 {
            assert!(sent.try_next().await.is_ok_and(|chunk| chunk.is_some()));
        }
        assert!(!body.rewind());
        assert_eq!(read(sent).await.ok(), Some(0), "and the one attempt goes on to its end");
    }

    #[tokio::test]
    async fn a_rewound_body_begins_anew_while_the_attempt_before_goes_on_polling() {
        let body = body(&[60_000, 60_000], 1_000_000);
        let mut first = stream_of(&body);
        assert!(first.try_next().await.is_ok_and(|chunk| chunk.is_some()));
        assert!(body.rewind());
        assert!(first.try_next().await.is_err(), "else more would be read than is buffered");
        assert_eq!(read(stream_of(&body)).await.ok(), Some(120_000));
    }

    #[tokio::test]
    async fn an_attempt_that_waits_is_woken_at_its_end() {
        for end in [|body: &RequestBody| assert!(body.rewind()), RequestBody::abort] {
            let body = new(Some(stream::pending().boxed()), 15);
            let mut waits = stream_of(&body);
            let waiting = tokio::spawn(async move { waits.try_next().await.is_err() });
            while body.0.as_deref().expect("there is a body").lock().waker.is_none() {
                tokio::task::yield_now().await;
            }
            end(&body);
            assert!(waiting.await.is_ok_and(|is_over| is_over));
        }
    }

    #[tokio::test]
    async fn a_body_over_the_limit_and_one_that_is_cut_are_told_apart() {
        let large = body(&[10, 20], 15);
        assert!(read(stream_of(&large)).await.is_err());
        assert_eq!((large.error(), large.rewind()), (Some(BodyError::TooLarge), false));
        let cut = new(Some(stream::iter([Err(io::Error::other("cut"))]).boxed()), 15);
        assert!(read(stream_of(&cut)).await.is_err());
        assert_eq!((cut.error(), cut.rewind()), (Some(BodyError::Cut), false));
        assert_eq!(new(None, 15).error(), None);
    }
}
