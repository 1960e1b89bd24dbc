//! The caller's body: handed on as it comes, and kept beside that as far as it is small, so that it can be sent again.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_util::{
    Stream, StreamExt,
    stream::{BoxStream, poll_fn},
};

use jackfield_outbound::Outgoing;

/// Longest body that is kept.
const KEPT: u64 = 64 * 1024;

/// The body of one call.
#[derive(Clone)]
pub(super) struct Body(Option<Arc<Mutex<Source>>>);

struct Source {
    rest: BoxStream<'static, io::Result<Bytes>>,
    /// What has come so far; `None` once it is more than is kept.
    kept: Option<Vec<Bytes>>,
    length: u64,
    most: u64,
    /// Which sending may take from it: an earlier one may still be under way somewhere.
    turn: u32,
    /// Of the sending that waits for more of it.
    waiting: Option<Waker>,
    trouble: Option<Trouble>,
}

/// What keeps a body from being handed on whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It is larger than it may be.
    TooLarge,
    /// The caller's connection was cut.
    Cut,
}

impl Body {
    pub(super) fn new(body: Option<BoxStream<'static, io::Result<Bytes>>>, most: u64) -> Self {
        Self(body.map(|rest| {
            let kept = Some(Vec::new());
            Arc::new(Mutex::new(Source { rest, kept, length: 0, most, turn: 0, waiting: None, trouble: None }))
        }))
    }

    /// All of it from its beginning; after the first time, once it has been taken back.
    pub(super) fn sent(&self) -> Outgoing {
        let Some(source) = self.0.clone() else { return Outgoing::Whole(Bytes::new()) };
        let (turn, mut at) = (locked(&source).turn, 0);
        let chunks = poll_fn(move |context| locked(&source).poll(context, turn, &mut at));
        Outgoing::Stream(chunks.boxed())
    }

    /// Takes it back from the sending that is under way, which gets no more of it, if [`Body::sent`] can give all of it once more. Else
    /// nothing is changed. One step: asked before and taken later, more of it than is kept might have gone in between.
    pub(super) fn take_back(&self) -> bool {
        let Some(source) = self.0.as_deref() else { return true };
        let mut source = locked(source);
        let is_whole = source.kept.is_some() && source.trouble.is_none();
        if is_whole {
            source.end_turn();
        }
        is_whole
    }

    /// Ends the sending that is under way: its call has failed.
    pub(super) fn give_up(&self) {
        if let Some(source) = self.0.as_deref() {
            locked(source).end_turn();
        }
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.0.as_deref().and_then(|source| locked(source).trouble)
    }

    /// How much of it has been taken.
    pub(super) fn length(&self) -> u64 {
        self.0.as_deref().map_or(0, |source| locked(source).length)
    }
}

fn locked(source: &Mutex<Source>) -> MutexGuard<'_, Source> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source {
    fn poll(&mut self, context: &mut Context<'_>, turn: u32, at: &mut usize) -> Poll<Option<io::Result<Bytes>>> {
        if turn != self.turn {
            return Poll::Ready(Some(Err(io::Error::other("it is sent anew"))));
        }
        if let Some(chunk) = self.kept.as_ref().and_then(|kept| kept.get(*at)) {
            *at += 1;
            return Poll::Ready(Some(Ok(chunk.clone())));
        }
        let next = Pin::new(&mut self.rest).poll_next(context);
        self.waiting = next.is_pending().then(|| context.waker().clone());
        next.map(|next| next.map(|chunk| self.taken(chunk, at)))
    }

    /// Who waits hears of it: else the connection of that sending would hang.
    fn end_turn(&mut self) {
        self.turn += 1;
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    fn taken(&mut self, chunk: io::Result<Bytes>, at: &mut usize) -> io::Result<Bytes> {
        let chunk = chunk.inspect_err(|_| self.trouble = Some(Trouble::Cut))?;
        self.length += chunk.len() as u64;
        if self.length > self.most {
            self.trouble = Some(Trouble::TooLarge);
            return Err(io::Error::other("it is larger than it may be"));
        }
        if self.length > KEPT {
            self.kept = None;
        }
        if let Some(kept) = &mut self.kept {
            kept.push(chunk.clone());
            *at += 1;
        }
        Ok(chunk)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{TryStreamExt, stream};

    use super::*;

    fn body(pieces: &[usize], most: u64) -> Body {
        let pieces: Vec<_> = pieces.iter().map(|length| Ok(Bytes::from(vec![b'x'; *length]))).collect();
        Body::new(Some(stream::iter(pieces).boxed()), most)
    }

    fn stream_of(body: &Body) -> BoxStream<'static, io::Result<Bytes>> {
        match body.sent() {
            Outgoing::Stream(chunks) => chunks,
            Outgoing::Whole(_) => panic!("there is a body"),
        }
    }

    async fn read(mut chunks: BoxStream<'static, io::Result<Bytes>>) -> io::Result<usize> {
        let mut length = 0;
        while let Some(chunk) = chunks.try_next().await? {
            length += chunk.len();
        }
        Ok(length)
    }

    #[tokio::test]
    async fn a_small_body_can_be_sent_again_also_when_only_a_part_of_it_had_gone() {
        let body = body(&[10, 20, 30], 1000);
        let mut first = stream_of(&body);
        assert!(first.try_next().await.is_ok_and(|chunk| chunk.is_some()));
        assert!(body.take_back());
        assert!(first.try_next().await.is_err(), "the first gets no more of it");
        assert_eq!(read(stream_of(&body)).await.ok(), Some(60));
        assert!(body.take_back());
        assert_eq!(read(stream_of(&body)).await.ok(), Some(60));
        assert_eq!(body.length(), 60);
    }

    #[tokio::test]
    async fn a_large_body_is_handed_on_and_not_kept() {
        let body = body(&[60_000, 60_000], 1_000_000);
        assert!(body.take_back(), "as long as nothing of it has gone");
        let mut sent = stream_of(&body);
        for _ in 0..2 {
            assert!(sent.try_next().await.is_ok_and(|chunk| chunk.is_some()));
        }
        assert!(!body.take_back());
        assert_eq!(read(sent).await.ok(), Some(0), "and the one sending goes on to its end");
    }

    #[tokio::test]
    async fn a_body_that_is_taken_back_gives_its_beginning_also_where_the_sending_before_goes_on_asking() {
        let body = body(&[60_000, 60_000], 1_000_000);
        let mut first = stream_of(&body);
        assert!(first.try_next().await.is_ok_and(|chunk| chunk.is_some()));
        assert!(body.take_back());
        assert!(first.try_next().await.is_err(), "else more would be gone than is kept");
        assert_eq!(read(stream_of(&body)).await.ok(), Some(120_000));
    }

    #[tokio::test]
    async fn a_sending_that_waits_hears_that_it_is_over() {
        for end in [|body: &Body| assert!(body.take_back()), Body::give_up] {
            let body = Body::new(Some(stream::pending().boxed()), 15);
            let mut waits = stream_of(&body);
            let waiting = tokio::spawn(async move { waits.try_next().await.is_err() });
            while locked(body.0.as_deref().expect("there is a body")).waiting.is_none() {
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
        assert_eq!((large.trouble(), large.take_back()), (Some(Trouble::TooLarge), false));
        let cut = Body::new(Some(stream::iter([Err(io::Error::other("cut"))]).boxed()), 15);
        assert!(read(stream_of(&cut)).await.is_err());
        assert_eq!((cut.trouble(), cut.take_back()), (Some(Trouble::Cut), false));
        assert_eq!(Body::new(None, 15).trouble(), None);
    }
}
