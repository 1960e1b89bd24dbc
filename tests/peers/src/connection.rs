//! One connection to a server, with one request after the other: HTTP/1.1 with as little machine
//! time as possible, since it shares a core with the stand-in service.

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A connection that is kept alive.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What a server has answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

/// How the end of a body is found.
#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
}

impl Connection {
    /// Connects to `127.0.0.1:8000`.
    pub(crate) async fn to(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("no connection to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a whole request and reads the answer to its end.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        self.answer().await
    }

    /// Sends a piece of a request.
    pub(crate) async fn send(&mut self, piece: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(piece).await?)
    }

    /// Reads an answer to its end.
    pub(crate) async fn answer(&mut self) -> Result<Answer> {
        let head = self.head().await?;
        let status = head.get(9..12).and_then(|status| status.parse().ok()).context("a status line")?;
        let body = match framing(&head) {
            Framing::Length(length) => self.exactly(length).await?,
            Framing::Chunked => self.chunks().await?,
        };
        Ok(Answer { status, head, body })
    }

    /// Reads an answer and drops its body; returns how many bytes that had.
    pub(crate) async fn drained(&mut self) -> Result<usize> {
        let head = self.head().await?;
        ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
        let Framing::Length(length) = framing(&head) else { bail!("a length was expected: {head}") };
        let mut left = length.saturating_sub(self.buffer.len());
        self.buffer.clear();
        let mut piece = vec![0; 256 * 1024];
        while left > 0 {
            let read = self.stream.read(&mut piece).await?;
            ensure!(read > 0, "the connection ended {left} bytes too early");
            left -= read.min(left);
        }
        Ok(length)
    }

    async fn head(&mut self) -> Result<String> {
        let mut from = 0;
        loop {
            if let Some(at) = find(&self.buffer[from..], b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..from + at + 4).collect();
                return Ok(String::from_utf8(head)?);
            }
            from = self.buffer.len().saturating_sub(3);
            self.more().await?;
        }
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.more().await?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).with_context(|| format!("a chunk's size, not {line:?}"))?;
            let chunk = self.exactly(size + 2).await?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    async fn line(&mut self) -> Result<String> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).take(at).collect();
                return Ok(String::from_utf8(line)?);
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<()> {
        ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server has closed the connection");
        Ok(())
    }
}

impl Answer {
    /// The values of a header, whose name is in lower case.
    pub(crate) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        values(&self.head, name)
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> Option<&str> {
        self.headers("location").next()
    }

    /// Whether the server ends the connection behind this answer.
    pub(crate) fn is_last(&self) -> bool {
        self.headers("connection").any(|value| value.eq_ignore_ascii_case("close"))
    }

    /// The body, to be read by people.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn framing(head: &str) -> Framing {
    let is_chunked = values(head, "transfer-encoding").any(|value| value.eq_ignore_ascii_case("chunked"));
    let length = values(head, "content-length").next().and_then(|value| value.parse().ok());
    if is_chunked { Framing::Chunked } else { Framing::Length(length.unwrap_or_default()) }
}

/// The values of a header in a head.
pub(crate) fn values<'a>(head: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    head.lines().skip(1).filter_map(move |line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Where a text begins.
pub(crate) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}
