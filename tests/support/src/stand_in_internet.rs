//! Plays every service under its own URLs (`[http] stand-in`): a test answers each request of a
//! host by its URL.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};
use url::form_urlencoded;

/// A request that a host has meant for a service.
#[derive(Clone, Debug)]
pub struct ServiceRequest {
    /// Its method.
    pub method: String,
    /// The URL that it was meant for.
    pub url: String,
    /// The parameters of its body: a form, or an object of texts.
    pub form: Vec<(String, String)>,
    /// The header `Authorization`.
    pub authorization: String,
}

/// What a service answers: a status, and JSON. `Null` answers a page.
pub type ServiceAnswer = (u16, Value);

type Answers = Arc<Mutex<Box<dyn FnMut(&ServiceRequest) -> ServiceAnswer + Send>>>;

/// A running stand-in for all services; it stops when this is dropped.
pub struct StandInInternet {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<ServiceRequest>>>,
    server: JoinHandle<()>,
}

impl ServiceRequest {
    /// A parameter of the body; empty if there is none.
    #[must_use]
    pub fn parameter(&self, name: &str) -> &str {
        self.form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

impl StandInInternet {
    /// Starts on a free port.
    ///
    /// # Errors
    /// When loopback cannot be bound.
    pub async fn start(answer: impl FnMut(&ServiceRequest) -> ServiceAnswer + Send + 'static) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let requests: Arc<Mutex<Vec<ServiceRequest>>> = Arc::default();
        let answers: Answers = Arc::new(Mutex::new(Box::new(answer)));
        let router = Router::new().fallback(play).with_state((answers, requests.clone()));
        let server = tokio::spawn(async move {
            // It serves until it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, requests, server })
    }

    /// The configuration that leads all requests of a host here.
    #[must_use]
    pub fn toml(&self) -> String {
        format!("[http]\nstand-in = \"http://{}\"\n", self.address)
    }

    /// The requests that came.
    #[must_use]
    pub fn requests(&self) -> Vec<ServiceRequest> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for StandInInternet {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn play(
    State((answers, requests)): State<(Answers, Arc<Mutex<Vec<ServiceRequest>>>)>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (url, authorization) = (text("x-jackfield-url"), text("authorization"));
    let request = ServiceRequest { method: method.to_string(), url, form: parameters(&body), authorization };
    let (status, json) = (answers.lock().unwrap_or_else(PoisonError::into_inner))(&request);
    requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match json {
        Value::Null => (status, [(header::CONTENT_TYPE, "text/html")], "<h1>Sorry</h1>").into_response(),
        json => (status, [(header::CONTENT_TYPE, "application/json")], json.to_string()).into_response(),
    }
}

fn parameters(body: &[u8]) -> Vec<(String, String)> {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(object)) => {
            object.into_iter().map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned())).collect()
        }
        _ => form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
    }
}
