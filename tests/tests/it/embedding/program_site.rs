//! The site of a program that embeds the host: its pages, at an origin and a site of their own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use axum::{
    Router,
    extract::{Request, State},
    response::{Html, IntoResponse, Response},
};
use http::{HeaderName, StatusCode};
use tokio::{net::TcpListener, task::JoinHandle};

/// A page of the program, which connects with `window.options` when its button is clicked.
const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Program</title></head>
<body>
<main><h1>Program</h1><button id="connect">Connect</button><p id="state" role="status"></p><div id="place"></div></main>
<script type="module">
import { connect } from "HOST/connect/jackfield-connect.js";
const say = (text) => (document.getElementById("state").textContent += `${text}; `);
window.received = [];
window.addEventListener("message", ({ origin, data }) => window.received.push({ origin, data }));
const connected = ({ id, name, provider }) => say(`connected ${provider.id} ${name}`);
document.getElementById("connect").addEventListener("click", () => {
  connect({ ...window.options, onReady: () => say("ready") }).then(connected, (error) => say(`not connected: ${error.code}`));
});
window.show = (url, isInline) => {
  const element = document.createElement("jackfield-connect");
  element.toggleAttribute("inline", isInline);
  element.setAttribute("url", url);
  element.textContent = "Connect an account";
  for (const type of ["ready", "connected", "failed", "closed"]) {
    element.addEventListener(type, ({ detail }) => say(`${type} ${detail?.code ?? detail?.name ?? ""}`));
  }
  document.getElementById("place").replaceChildren(element);
};
window.isLoaded = true;
</script>
</body>
</html>"#;

pub(super) struct ProgramSite {
    port: u16,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    page: String,
    /// Further headers of pages, by path.
    headers: HashMap<&'static str, (&'static str, &'static str)>,
    asked: Mutex<Vec<String>>,
}

impl ProgramSite {
    /// For a host. Its page `/isolated` has cut itself from the windows that it opens.
    pub(super) async fn of(host: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let headers = HashMap::from([("/isolated", ("cross-origin-opener-policy", "same-origin"))]);
        let shared = Arc::new(Shared { page: PAGE.replace("HOST", host), headers, ..Shared::default() });
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { port, shared, server })
    }

    /// Another site than the host's.
    pub(super) fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// URL of a page.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// Paths and queries of all requests so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for ProgramSite {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(request.uri().to_string());
    let path = request.uri().path();
    if path == "/favicon.ico" {
        return StatusCode::NO_CONTENT.into_response();
    }
    let mut response = Html(shared.page.clone()).into_response();
    if let Some((name, value)) = shared.headers.get(path) {
        response.headers_mut().insert(HeaderName::from_static(name), http::HeaderValue::from_static(value));
    }
    response
}
