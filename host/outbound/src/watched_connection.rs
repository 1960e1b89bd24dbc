//! A connection that tells whether bytes of an answer have come since the request was written.
//!
//! The HTTP library has one error for a connection that ends without an answer, and for one that
//! ends within the head of an answer. Only after the first may a request be sent again. Over
//! HTTP/2, where many answers share a connection, its errors tell enough.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use http::Extensions;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, Connection};

/// Bytes of an answer's beginning that are read at once.
const BEGINNING: usize = 1024;

/// The connection, above TLS: what TLS itself sends is no answer.
pub(super) struct WatchedConnection<S> {
    inner: S,
    /// `None` over HTTP/2.
    is_answered: Option<AnswerFlag>,
}

/// Whether an answer has begun.
#[derive(Clone, Default)]
struct AnswerFlag(Arc<AtomicBool>);

impl<S: Connection> WatchedConnection<S> {
    pub(super) fn new(inner: S) -> Self {
        let is_answered = (!inner.connected().is_negotiated_h2()).then(AnswerFlag::default);
        Self { inner, is_answered }
    }
}

impl<S> WatchedConnection<S> {
    fn is_written_to(&self) {
        if let Some(is_answered) = &self.is_answered {
            is_answered.set(false);
        }
    }
}

impl AnswerFlag {
    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, is_answered: bool) {
        self.0.store(is_answered, Ordering::Relaxed);
    }
}

/// Whether an answer has begun on the connection that a request went to.
pub(super) fn has_begun_to_answer(connection: &CaptureConnection) -> bool {
    let mut extras = Extensions::new();
    if let Some(connected) = connection.connection_metadata().as_ref() {
        connected.get_extras(&mut extras);
    }
    extras.get::<AnswerFlag>().is_some_and(AnswerFlag::get)
}

impl<S: Read + Unpin> Read for WatchedConnection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let awaited = self.is_answered.clone().filter(|is_answered| !is_answered.get());
        let Some(is_answered) = awaited else { return Pin::new(&mut self.inner).poll_read(context, buffer) };
        let mut bytes = [0; BEGINNING];
        let mut beginning = ReadBuf::new(&mut bytes[..buffer.remaining().min(BEGINNING)]);
        ready!(Pin::new(&mut self.inner).poll_read(context, beginning.unfilled()))?;
        if !beginning.filled().is_empty() {
            is_answered.set(true);
            buffer.put_slice(beginning.filled());
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Write + Unpin> Write for WatchedConnection<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.is_written_to();
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.is_written_to();
        Pin::new(&mut self.inner).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S: Connection> Connection for WatchedConnection<S> {
    fn connected(&self) -> Connected {
        match &self.is_answered {
            Some(is_answered) => self.inner.connected().extra(is_answered.clone()),
            None => self.inner.connected(),
        }
    }
}
