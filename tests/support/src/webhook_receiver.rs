//! A program that gets events: it keeps each request, and answers as a test wants.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Result, ensure};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle, time};

/// How long a test waits for a request that should come.
const PATIENCE: time::Duration = time::Duration::from_secs(60);

/// A request that came.
#[derive(Clone, Debug)]
pub struct ReceivedWebhook {
    /// The path that it came to.
    pub path: String,
    /// Its headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body, byte for byte.
    pub body: String,
}

/// What is answered.
#[derive(Clone, Copy, Debug)]
pub enum WebhookReply {
    /// With a status.
    Status(u16),
    /// With a status and one header.
    WithHeader(u16, &'static str, &'static str),
    /// Never.
    Nothing,
}

type Answers = Box<dyn FnMut(&ReceivedWebhook) -> WebhookReply + Send>;

struct Shared {
    received: Mutex<Vec<ReceivedWebhook>>,
    answers: Mutex<Answers>,
    came: Notify,
}

/// A running receiver; it stops when this is dropped.
pub struct WebhookReceiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl ReceivedWebhook {
    /// Its body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.body)?)
    }

    /// A header; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl WebhookReceiver {
    /// Starts on a free port.
    ///
    /// # Errors
    /// When loopback cannot be bound.
    pub async fn start(answer: impl FnMut(&ReceivedWebhook) -> WebhookReply + Send + 'static) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let answers: Mutex<Answers> = Mutex::new(Box::new(answer));
        let shared = Arc::new(Shared { received: Mutex::default(), answers, came: Notify::new() });
        let router = Router::new().fallback(receive).with_state(shared.clone());
        let server = tokio::spawn(async move {
            // It serves until it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shared, server })
    }

    /// The configuration that lets a host send something here.
    #[must_use]
    pub fn toml(&self) -> String {
        format!("[http]\nallow-private = [\"{}\"]\n", self.address)
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests that came to a path so far.
    #[must_use]
    pub fn received(&self, path: &str) -> Vec<ReceivedWebhook> {
        let all = self.shared.received.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|request| request.path == path).cloned().collect()
    }

    /// The requests at a path, as soon as so many came.
    ///
    /// # Errors
    /// When they do not come.
    pub async fn wait_for(&self, path: &str, count: usize) -> Result<Vec<ReceivedWebhook>> {
        let deadline = time::Instant::now() + PATIENCE;
        loop {
            let came = self.shared.came.notified();
            let received = self.received(path);
            if received.len() >= count {
                return Ok(received);
            }
            let is_late = time::timeout_at(deadline, came).await.is_err();
            ensure!(!is_late, "{} of {count} requests came to {path}: {received:?}", received.len());
        }
    }
}

impl Drop for WebhookReceiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
    let body = String::from_utf8_lossy(&body).into_owned();
    let request = ReceivedWebhook { path: uri.path().to_owned(), headers: headers.collect(), body };
    let reply = (shared.answers.lock().unwrap_or_else(PoisonError::into_inner))(&request);
    shared.received.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    shared.came.notify_waiters();
    let status = |status| StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match reply {
        WebhookReply::Status(code) => status(code).into_response(),
        WebhookReply::WithHeader(code, name, value) => (status(code), [(name, value)]).into_response(),
        WebhookReply::Nothing => std::future::pending().await,
    }
}
