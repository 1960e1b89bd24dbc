//! A connection on which a service's answer is read even if the service takes no more of the
//! request.
//!
//! A service may refuse an upload after its head, and close with the body unread, so that a reset
//! follows. RFC 9112 section 9.5 asks a client to look for an answer then: it is in the socket. The
//! HTTP library gives the request up at the first write that fails, so such a write succeeds here,
//! and what could not be sent is dropped. The exchange still ends: after a reset, reading yields
//! what has come and then an end or an error.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};

/// The connection, below TLS.
pub(super) struct ServiceConnection<S> {
    inner: S,
    /// The service takes no more.
    is_cut: bool,
}

impl<S> ServiceConnection<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self { inner, is_cut: false }
    }

    /// What is done instead of failing, if the failure is that the service takes no more.
    fn unless_cut<T>(&mut self, done: Poll<io::Result<T>>, instead: T) -> Poll<io::Result<T>> {
        match done {
            Poll::Ready(Err(error)) if takes_no_more(&error) => {
                self.is_cut = true;
                Poll::Ready(Ok(instead))
            }
            done => done,
        }
    }
}

fn takes_no_more(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted
    )
}

impl<S: Read + Unpin> Read for ServiceConnection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: Write + Unpin> Write for ServiceConnection<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_cut {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.unless_cut(written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = pieces.iter().map(|piece| piece.len()).sum();
        if self.is_cut {
            return Poll::Ready(Ok(length));
        }
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, pieces);
        self.unless_cut(written, length)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.unless_cut(flushed, ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut_down = Pin::new(&mut self.inner).poll_shutdown(context);
        self.unless_cut(shut_down, ())
    }
}

impl<S: Connection> Connection for ServiceConnection<S> {
    fn connected(&self) -> Connected {
        self.inner.connected()
    }
}
