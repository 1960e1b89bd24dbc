//! A server on this machine that plays every service: the pages of its authorization endpoint to
//! browsers, its token endpoint and its API to the host, which sends here whatever a plugin asks
//! for (`[http] stand-in`).

mod consent;
mod issuer;
mod token;

use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Instant,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use self::{issuer::Issuers, token::Grants};
use super::{
    dev_file::{DevFile, ScriptedAnswer},
    terminal::print,
};

/// By this the host tells where a request was for.
const URL: &str = "x-jackfield-url";
/// By this the host is told that no answer came.
static FAILURE: HeaderName = HeaderName::from_static("x-jackfield-failure");

/// A running stand-in; it stops when this is dropped.
pub(super) struct StandIn {
    url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    /// URL of the host, the only place that people are sent back to.
    host: String,
    show_bodies: bool,
    script: RwLock<Arc<DevFile>>,
    grants: Grants,
    issuers: Issuers,
}

/// A request that was for somebody else.
struct Asked {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
}

/// An answer, and what the author should know of it.
struct Played {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    note: Option<String>,
}

impl StandIn {
    pub(super) async fn start(host: &str, show_bodies: bool) -> std::io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (script, grants, issuers) = (RwLock::default(), Grants::default(), Issuers::new());
        let shared = Arc::new(Shared { host: host.to_owned(), show_bodies, script, grants, issuers });
        let router = Router::new()
            .route("/visit", get(consent::page).post(consent::decide))
            .fallback(play)
            .layer(DefaultBodyLimit::disable())
            .with_state(shared.clone());
        let server = tokio::spawn(async move {
            // It serves until it is aborted; a broken connection is the other side's affair.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, shared, server })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Answers by this from now on, also as these issuers.
    pub(super) fn follow(&self, script: DevFile, issuers: impl IntoIterator<Item = String>) {
        self.shared.issuers.know(issuers);
        *self.shared.script.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(script);
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn play(State(shared): State<Arc<Shared>>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let since = Instant::now();
    let Some(url) = headers.get(URL).and_then(|url| url.to_str().ok()).map(str::to_owned) else {
        return (StatusCode::NOT_FOUND, "This plays the services that your plugin asks; open the host.")
            .into_response();
    };
    let asked = Asked { method, url, headers, body };
    let played = answer(&shared, &asked);
    tell(&asked, &played, since, shared.show_bodies);
    (played.status, played.headers, played.body).into_response()
}

/// What is scripted; else what an authorization server answers: a token, the end of one, what an
/// issuer says of itself; else nothing.
fn answer(shared: &Shared, asked: &Asked) -> Played {
    let Shared { grants, issuers, script, .. } = shared;
    let script = script.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(scripted) = script.answer(asked.method.as_str(), &asked.url) {
        return Played::scripted(scripted);
    }
    let token = || grants.answer(asked, &script.token, |grant| issuers.id_token(grant, &script));
    let revoked = || token::revoked(asked);
    token().or_else(revoked).or_else(|| issuers.answer(asked, &script)).unwrap_or_else(|| Played::nothing(asked))
}

impl Played {
    fn json(status: StatusCode, body: &serde_json::Value) -> Self {
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))].into_iter().collect();
        Self { status, headers, body: body.to_string().into_bytes(), note: None }
    }

    fn scripted(scripted: &ScriptedAnswer) -> Self {
        let mut played = match (&scripted.json, &scripted.text) {
            (Some(json), _) => Self::json(scripted.status, json),
            (None, text) => {
                let body = text.clone().unwrap_or_default().into_bytes();
                Self { status: scripted.status, headers: HeaderMap::new(), body, note: None }
            }
        };
        played.headers.extend(scripted.headers.iter().cloned());
        if let Some(why) = &scripted.failure {
            let value = HeaderValue::from_str(why).unwrap_or(HeaderValue::from_static("no answer"));
            played.headers.insert(FAILURE.clone(), value);
            played.note = Some(format!("played as a failure: {why}"));
        }
        played
    }

    fn nothing(asked: &Asked) -> Self {
        let url = asked.url.split(['?', '#']).next().unwrap_or(&asked.url);
        let note = format!(
            "nothing is scripted for this; write into dev.toml, for example\n  [answers.{url:?}]\n  json = {{ id = \"1\", name = \"Ada\" }}"
        );
        let body = json!({"error": "dev.toml scripts no answer for this URL"});
        Self { note: Some(note), ..Self::json(StatusCode::NOT_FOUND, &body) }
    }
}

fn tell(asked: &Asked, played: &Played, since: Instant, show_bodies: bool) {
    let Asked { method, url, body, .. } = asked;
    let milliseconds = since.elapsed().as_secs_f64() * 1000.0;
    let mut text =
        format!("{method} {url} → {}, {} bytes, {milliseconds:.2} ms", played.status.as_u16(), played.body.len());
    if let Some(note) = &played.note {
        text = format!("{text}\n{note}");
    }
    if show_bodies {
        text = format!("{text}\n> {}\n< {}", shown(body), shown(&played.body));
    }
    print("request", &text);
}

/// A body as it is, if it is text.
fn shown(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok("") => "(no body)".to_owned(),
        Ok(text) => text.to_owned(),
        Err(_) => format!("({} bytes that are no text)", body.len()),
    }
}
