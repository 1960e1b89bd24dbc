//! HTTP byte by byte, as client and as server: for requests and responses that no well-behaved
//! program sends.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A server that sends only what a test tells it to.
pub struct RawHttpServer {
    listener: TcpListener,
    address: SocketAddr,
}

/// One end of a connection.
pub struct RawHttpConnection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl RawHttpServer {
    /// Starts on a free port.
    ///
    /// # Errors
    /// When loopback cannot be bound.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// Port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Accepts the next connection and reads the head of its request.
    ///
    /// # Errors
    /// When none comes.
    pub async fn request(&self) -> Result<(String, RawHttpConnection)> {
        let (stream, _) = self.listener.accept().await?;
        let mut connection = RawHttpConnection { stream, read: Vec::new() };
        Ok((connection.until("\r\n\r\n").await?, connection))
    }

    /// Reads the next request, sends these bytes and closes the connection.
    ///
    /// # Errors
    /// When none comes.
    pub async fn answer(&self, answer: impl AsRef<[u8]>) -> Result<String> {
        let (request, mut connection) = self.request().await?;
        connection.write(answer).await?;
        Ok(request)
    }

    /// Does something while these answers are sent, each to a request of its own.
    ///
    /// # Errors
    /// What that is, or when a connection breaks.
    pub async fn answering<T>(&self, answers: &[Vec<u8>], client: impl Future<Output = Result<T>>) -> Result<T> {
        let serve = async {
            for answer in answers {
                self.answer(answer).await?;
            }
            std::future::pending().await
        };
        tokio::select! {
            result = client => result,
            result = serve => result,
        }
    }

    /// Whether nobody has connected so far.
    pub async fn is_untouched(&self) -> bool {
        tokio::time::timeout(Duration::ZERO, self.listener.accept()).await.is_err()
    }
}

impl RawHttpConnection {
    /// Connects to a host's URL, `http://127.0.0.1:8000`.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn to(url: &str) -> Result<Self> {
        let address = url.strip_prefix("http://").context("a plain URL")?;
        Ok(Self { stream: TcpStream::connect(address).await?, read: Vec::new() })
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the other end is gone.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        Ok(self.stream.write_all(bytes.as_ref()).await?)
    }

    /// Reads up to a text, including it.
    ///
    /// # Errors
    /// When the connection ends before.
    pub async fn until(&mut self, text: &str) -> Result<String> {
        loop {
            let found = self.read.windows(text.len()).position(|part| part == text.as_bytes());
            if let Some(at) = found {
                let part: Vec<u8> = self.read.drain(..at + text.len()).collect();
                return Ok(String::from_utf8_lossy(&part).into_owned());
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("the end came before {text:?}: {}", String::from_utf8_lossy(&self.read));
            }
        }
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn rest(&mut self) -> Result<String> {
        self.stream.read_to_end(&mut self.read).await?;
        Ok(String::from_utf8_lossy(&self.read).into_owned())
    }
}
