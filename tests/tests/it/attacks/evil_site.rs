//! A site of the attacker, also used as a trap: it serves one page and keeps all requests.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::{
    Router,
    extract::{Request, State},
    response::Html,
};
use http::{HeaderMap, header};
use tokio::{net::TcpListener, task::JoinHandle};

pub(crate) struct EvilSite {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    page: String,
    asked: Mutex<Vec<HeaderMap>>,
}

impl EvilSite {
    pub(crate) async fn serving(page: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared { page: page.to_owned(), ..Shared::default() });
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { port, shared, server })
    }

    /// Another origin of the same site as the host: the strongest position of an attacker.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Another site than the host's.
    pub(crate) fn of_another_site(&self) -> String {
        format!("http://localhost:{}/", self.port)
    }

    /// The headers of all requests so far.
    pub(crate) fn asked(&self) -> Vec<HeaderMap> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The referrers of all requests so far.
    pub(crate) fn referrers(&self) -> Vec<String> {
        referrers(&self.asked())
    }
}

pub(crate) fn referrers(requests: &[HeaderMap]) -> Vec<String> {
    let referrers = requests.iter().filter_map(|headers| headers.get(header::REFERER)?.to_str().ok());
    referrers.map(str::to_owned).collect()
}

impl Drop for EvilSite {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Html<String> {
    shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(request.headers().clone());
    Html(shared.page.clone())
}
