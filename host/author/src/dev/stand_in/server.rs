//! The server of the stand-in.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    consent_page,
    message::{PlayedResponse, ServiceRequest},
    service::Service,
};
use crate::dev::{dev_file::DevFile, terminal::print};

/// The URL of the service that a request was for.
const SERVICE_URL: &str = "x-jackfield-url";

/// A running stand-in; it stops when this is dropped.
pub(crate) struct StandIn {
    url: String,
    service: Arc<Service>,
    server: JoinHandle<()>,
}

impl StandIn {
    pub(crate) async fn start(host: &str, show_bodies: bool) -> std::io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let service = Arc::new(Service::new(host, show_bodies));
        let router = Router::new()
            .route("/visit", get(consent_page::show).post(consent_page::decide))
            .fallback(play)
            .layer(DefaultBodyLimit::disable())
            .with_state(service.clone());
        let server = tokio::spawn(async move {
            // It serves until it is aborted. A broken connection is no error.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, service, server })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Answers by this file from now on, also in the place of these issuers.
    pub(crate) fn follow(&self, script: DevFile, issuers: impl IntoIterator<Item = String>) {
        self.service.issuers.add(issuers);
        *self.service.script.write() = Arc::new(script);
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn play(State(service): State<Arc<Service>>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let since = Instant::now();
    let Some(url) = headers.get(SERVICE_URL).and_then(|url| url.to_str().ok()).map(str::to_owned) else {
        return (StatusCode::NOT_FOUND, "This plays the services that your plugin asks; open the host.")
            .into_response();
    };
    let request = ServiceRequest { method, url, headers, body };
    let played = service.answer(&request);
    print_request(&request, &played, since, service.show_bodies);
    (played.status, played.headers, played.body).into_response()
}

fn print_request(request: &ServiceRequest, played: &PlayedResponse, since: Instant, show_bodies: bool) {
    let ServiceRequest { method, url, body, .. } = request;
    let milliseconds = since.elapsed().as_secs_f64() * 1000.0;
    let mut text =
        format!("{method} {url} → {}, {} bytes, {milliseconds:.2} ms", played.status.as_u16(), played.body.len());
    if let Some(note) = &played.note {
        text = format!("{text}\n{note}");
    }
    if show_bodies {
        text = format!("{text}\n> {}\n< {}", body_text(body), body_text(&played.body));
    }
    print("request", &text);
}

/// A body as it is, if it is text.
fn body_text(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok("") => "(no body)".to_owned(),
        Ok(text) => text.to_owned(),
        Err(_) => format!("({} bytes that are no text)", body.len()),
    }
}
