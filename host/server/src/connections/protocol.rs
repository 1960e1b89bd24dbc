//! Whether a client speaks HTTP/2. Nothing is negotiated on a plain socket: a client that knows
//! what this host speaks begins with the preface (RFC 9113 section 3.4).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
    /// It has closed its end, without a byte.
    Nothing,
}

/// A socket of which the first bytes have been read, and come again.
pub(super) struct Replayed<S> {
    beginning: Bytes,
    inner: S,
}

/// Waits for the next request of a client that has spoken HTTP/1.1 before, and so does not change
/// to the other. Without a byte it has closed its end.
pub(super) async fn resume<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<(Protocol, Replayed<S>)> {
    let mut read = [0; PREFACE.len()];
    let length = stream.read(&mut read).await?;
    let protocol = if length == 0 { Protocol::Nothing } else { Protocol::Http1 };
    Ok((protocol, Replayed { beginning: Bytes::copy_from_slice(&read[..length]), inner: stream }))
}

/// Reads as far as it takes to know what the client speaks.
pub(super) async fn detect<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<(Protocol, Replayed<S>)> {
    let (mut read, mut length) = ([0; PREFACE.len()], 0);
    let protocol = loop {
        let more = stream.read(&mut read[length..]).await?;
        length += more;
        match length {
            0 => break Protocol::Nothing,
            _ if more == 0 || read[..length] != PREFACE[..length] => break Protocol::Http1,
            _ if length == PREFACE.len() => break Protocol::Http2,
            _ => {}
        }
    };
    Ok((protocol, Replayed { beginning: Bytes::copy_from_slice(&read[..length]), inner: stream }))
}

impl<S> Replayed<S> {
    pub(super) const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    pub(super) fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Replayed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.beginning.is_empty() {
            return Pin::new(&mut self.inner).poll_read(context, buffer);
        }
        let length = self.beginning.len().min(buffer.remaining());
        buffer.put_slice(&self.beginning.split_to(length));
        // What follows comes with it, so that a request is not read twice. An error comes again.
        if buffer.remaining() > 0 {
            let _ = Pin::new(&mut self.inner).poll_read(context, buffer);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replayed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn the_preface_decides_however_it_comes_and_every_byte_comes_again() {
        for (sent, protocol) in [
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore", Protocol::Http2),
            ("PRI * HTTP/2.0\r\n\r\nXX", Protocol::Http1),
            ("GET / HTTP/1.1\r\n\r\n", Protocol::Http1),
            ("PRI", Protocol::Http1),
            ("", Protocol::Nothing),
        ] {
            let (ours, mut theirs) = tokio::io::duplex(4);
            let sending = tokio::spawn(async move { theirs.write_all(sent.as_bytes()).await });
            let (found, mut stream) = detect(ours).await.expect("it can be read");
            let mut text = String::new();
            stream.read_to_string(&mut text).await.expect("text");
            assert_eq!((found, &*text), (protocol, sent));
            sending.await.expect("no panic").expect("all is read");
        }
    }
}
