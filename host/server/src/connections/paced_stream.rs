//! A socket that ends if the other end hardly takes what is sent.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    activity::Activity,
    frame_watch::{FrameWatch, Sending},
    pace::Pace,
};

/// A socket whose writes have a slowest pace. Reads are timed where it is known what is awaited:
/// by [`Activity`] and by the body.
pub(super) struct PacedStream<S> {
    inner: S,
    activity: Arc<Activity>,
    pace: Pace,
    /// Over HTTP/2.
    frames: Option<Box<FrameWatch>>,
}

impl<S> PacedStream<S> {
    pub(super) fn new(inner: S, activity: Arc<Activity>) -> Self {
        Self { inner, activity, pace: Pace::default(), frames: None }
    }

    /// What comes from now on are frames of HTTP/2.
    pub(super) fn watch_frames(&mut self) {
        self.frames = Some(Box::new(FrameWatch::new()));
        self.activity.is_http2();
    }

    fn received(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.activity.received();
        let Some(frames) = &mut self.frames else { return Ok(()) };
        let sending = frames.received(bytes);
        self.activity.sends(sending);
        match sending {
            Sending::Flood => Err(io::Error::other("the client sends frames that ask for nothing")),
            Sending::Nothing | Sending::Part(_) => Ok(()),
        }
    }

    /// The socket alone.
    pub(super) fn into_inner(self) -> S {
        self.inner
    }

    fn written(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.pace.moved(bytes);
                self.activity.sent();
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                ready!(self.pace.poll_too_slow(context));
                self.activity.is_too_slow("an answer");
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the answer is not taken")))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        match &buffer.filled()[before..] {
            [] => read,
            bytes => self.received(bytes).map_or_else(|error| Poll::Ready(Err(error)), |()| read),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, pieces);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.activity.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.activity.is_kept_open() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::connections::limit_log::ClientLogs;

    fn pair() -> (PacedStream<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(64);
        let activity = Activity::new(Duration::from_secs(75), Arc::default(), ClientLogs::new("http"));
        (PacedStream::new(ours, Arc::new(activity)), theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_taken_ends_the_connection() {
        let (mut ours, _theirs) = pair();
        let error = ours.write_all(&[0; 100]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_taken_goes_on() {
        let (mut ours, mut theirs) = pair();
        let reading = tokio::spawn(async move { theirs.read_exact(&mut [0; 100_000]).await.is_ok() });
        ours.write_all(&[0; 100_000]).await.expect("somebody reads");
        assert!(reading.await.is_ok_and(|is_read| is_read));
    }
}
