//! The stand-in service: Slack's token endpoint, and an API with a small answer, a download and an
//! upload. The stand-in of the tests records each request, which would be a load of its own.

use anyhow::{Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::connection::{find, values};

/// The registered app.
pub(crate) const CLIENT_ID: &str = "1111.2222";
/// Its secret.
pub(crate) const CLIENT_SECRET: &str = "stand-in-secret";
/// Where people agree. Nobody listens there: the load generator agrees by itself.
pub(crate) const AUTHORIZE: &str = "http://127.0.0.1:9/oauth/v2/authorize";
/// Bytes of the download, and of the upload.
pub(crate) const LARGE: usize = 1024 * 1024 * 1024;
/// Bytes in one write.
pub(crate) const PIECE: usize = 256 * 1024;

/// A running service. It stops when this is dropped.
pub(crate) struct Service {
    pub(crate) address: String,
    server: JoinHandle<()>,
}

impl Service {
    /// Starts on a free port, on the runtime of the caller.
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A connection that breaks is the host's business.
                tokio::spawn(async move { drop(serve(stream).await) });
            }
        });
        Ok(Self { address, server })
    }

    /// Absolute URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer: Vec<u8> = Vec::with_capacity(16 * 1024);
    loop {
        let Some(end) = find(&buffer, b"\r\n\r\n") else {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let head: Vec<u8> = buffer.drain(..end + 4).collect();
        let head = String::from_utf8(head)?;
        if head.contains("/api/upload") {
            let bytes = swallow(&mut stream, &mut buffer, &head).await?;
            stream.write_all(&json(&format!(r#"{{"ok":true,"bytes":{bytes}}}"#))).await?;
        } else if head.contains("/api/download") {
            download(&mut stream).await?;
        } else {
            let body = body(&mut stream, &mut buffer, &head).await?;
            stream.write_all(&answer(&head, &body)).await?;
        }
    }
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    if head.contains("/api/oauth.v2.access") {
        return json(&token(&String::from_utf8_lossy(body)));
    }
    if head.contains("/api/auth.test") {
        return json(r#"{"ok":true,"url":"https://acme.slack.com/","user_id":"B0STANDIN","bot_id":"B0STANDIN"}"#);
    }
    json(r#"{"ok":true,"channel":"C1","ts":"1503435956.000247"}"#)
}

/// As Slack answers: each code is for a workspace of its own.
fn token(form: &str) -> String {
    let team = form.split('&').find_map(|field| field.strip_prefix("code=")).unwrap_or_default();
    let secret = "0123456789abcdef".repeat(3);
    format!(r#"{{"ok":true,"app_id":"A0STANDIN","team":{{"id":"{team}","name":"Analytical Engines {team}"}},"#,)
        + &format!(r#""enterprise":null,"is_enterprise_install":false,"authed_user":{{"id":"U0{team}"}},"#,)
        + &format!(
            r#""access_token":"xoxb-{team}-{secret}","token_type":"bot","scope":"chat:write,commands,team:read","#,
        )
        + r#""bot_user_id":"B0STANDIN"}"#
}

fn json(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

async fn body(stream: &mut TcpStream, buffer: &mut Vec<u8>, head: &str) -> Result<Vec<u8>> {
    let length: usize = values(head, "content-length").next().map_or(Ok(0), str::parse)?;
    while buffer.len() < length {
        ensure!(stream.read_buf(buffer).await? > 0, "a body was cut");
    }
    Ok(buffer.drain(..length).collect())
}

async fn download(stream: &mut TcpStream) -> Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: {LARGE}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let piece = vec![b'x'; PIECE];
    for _ in 0..LARGE / PIECE {
        stream.write_all(&piece).await?;
    }
    Ok(())
}

/// Reads an upload of known length or in chunks; returns how many bytes came, framing included.
async fn swallow(stream: &mut TcpStream, buffer: &mut Vec<u8>, head: &str) -> Result<usize> {
    let length = values(head, "content-length").next().map(str::parse::<usize>).transpose()?;
    let mut last: Vec<u8> = std::mem::take(buffer);
    let mut bytes = last.len();
    let mut piece = vec![0; PIECE];
    while !is_over(length, bytes, &last) {
        let read = stream.read(&mut piece).await?;
        ensure!(read > 0, "an upload was cut");
        bytes += read;
        last.extend_from_slice(&piece[read.saturating_sub(8)..read]);
        last.drain(..last.len().saturating_sub(16));
    }
    Ok(bytes)
}

/// The load generator sends `x` only, so that the last chunk cannot be mistaken.
fn is_over(length: Option<usize>, bytes: usize, last: &[u8]) -> bool {
    length.map_or_else(|| last.ends_with(b"0\r\n\r\n"), |length| bytes >= length)
}
