//! Accepts connections until the host stops.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, serve::Listener};
use tokio::net::unix;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{connection, slots::Slots};

/// The address of the other end.
pub(crate) trait PeerAddress {
    /// `None` for a socket in the file system.
    fn peer(&self) -> Option<SocketAddr>;
}

impl PeerAddress for SocketAddr {
    fn peer(&self) -> Option<SocketAddr> {
        Some(*self)
    }
}

impl PeerAddress for unix::SocketAddr {
    fn peer(&self) -> Option<SocketAddr> {
        None
    }
}

/// Serves until `stopping`; then accepts no more, and returns when the open requests are answered.
pub(crate) async fn serve<L>(mut listener: L, router: Router, slots: Arc<Slots>, stopping: CancellationToken)
where
    L: Listener<Addr: PeerAddress>,
{
    let connections = TaskTracker::new();
    let accept_all = async {
        loop {
            slots.room().await;
            let (stream, address) = listener.accept().await;
            let (peer, slot) = (address.peer(), slots.take());
            connections.spawn(connection::run(stream, peer, router.clone(), slot, stopping.clone()));
        }
    };
    let _: Option<()> = stopping.run_until_cancelled(accept_all).await;
    drop(listener);
    connections.close();
    connections.wait().await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{body::Bytes, routing::post};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        task::JoinHandle,
    };

    use super::*;

    struct Server {
        address: SocketAddr,
        stopping: CancellationToken,
        serving: JoinHandle<()>,
    }

    /// Answers a body with itself.
    async fn server(most: usize) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stopping = CancellationToken::new();
        let router = Router::new().route("/", post(|body: Bytes| async { body }));
        let serving = tokio::spawn(serve(listener, router, Slots::new(most), stopping.clone()));
        Server { address, stopping, serving }
    }

    async fn open(server: &Server, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(server.address).await.expect("it accepts");
        stream.write_all(text.as_bytes()).await.expect("it takes that");
        stream
    }

    async fn read(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text).await;
        text
    }

    const GOOD: &str = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

    #[tokio::test]
    async fn silent_connections_make_room_for_one_that_asks() {
        let server = server(4).await;
        let mut silent = Vec::new();
        for _ in 0..40 {
            silent.push(open(&server, "POST / HTTP/1.1\r\nhost: x\r\nx-a: ").await);
        }
        let answer = read(&mut open(&server, GOOD).await).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\nok"), "{answer}");
        assert_eq!(read(&mut silent[0]).await, "", "the first of them is closed");
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_when_the_host_stops_and_idle_connections_end() {
        let Server { address, stopping, serving } = server(4).await;
        let server = Server { address, stopping: stopping.clone(), serving: tokio::spawn(async {}) };
        let mut idle = open(&server, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nok").await;
        let mut answer = [0; 15];
        idle.read_exact(&mut answer).await.expect("an answer");
        let mut asking =
            open(&server, "POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n").await;
        let mut said = [0; 25];
        asking.read_exact(&mut said).await.expect("the handler waits for the body");
        stopping.cancel();
        asking.write_all(b"ok").await.expect("it is read to its end");
        let answer = read(&mut asking).await;
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
        assert!(read(&mut idle).await.ends_with("ok"), "it is closed after its answer");
        tokio::time::timeout(Duration::from_secs(10), serving).await.expect("it ends").expect("without a panic");
        assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
        server.serving.abort();
    }
}
