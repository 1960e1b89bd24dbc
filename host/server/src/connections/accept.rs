//! Where connections come from.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

use super::slots::Slots;

/// A listener.
pub(crate) trait Accept: Send + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, with the address of its other end if it has one.
    ///
    /// # Errors
    /// When there is none, or no file for it.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Option<SocketAddr>)>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        let (stream, peer) = Self::accept(self).await?;
        // Answers are written whole: nothing is gained by waiting for more of them.
        let _ = stream.set_nodelay(true);
        Ok((stream, Some(peer)))
    }
}

/// How long nothing is accepted when there is no file for a connection, unless one ends before.
const PAUSE: Duration = Duration::from_secs(1);

/// What to do after an error: nothing if the other end has gone away already. Else the system has
/// no file or memory left, so connections that wait are closed.
pub(super) async fn recover(error: &io::Error, slots: &Slots) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
        return;
    }
    slots.out_of_files(error);
    let _ = tokio::time::timeout(PAUSE, slots.changed()).await;
}
