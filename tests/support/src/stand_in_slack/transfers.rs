//! Long bodies, to test that a proxy streams them. These are not methods of Slack's; they need a
//! token, like those.

use std::{io, sync::Arc, time::Instant};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::{Query, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{api::authenticated, received::Received, refusal::refused, shared::Shared};
use crate::stand_in::Endpoint;

/// `GET /api/stand-in.download?chunks=4&bytes=65536&paced=1`
#[derive(Deserialize)]
pub(super) struct Wanted {
    chunks: usize,
    /// Of each chunk.
    bytes: usize,
    /// With 1, a chunk is sent when the test says so.
    #[serde(default)]
    paced: u8,
}

pub(super) async fn download(
    State(shared): State<Arc<Shared>>,
    Extension(received): Extension<Received>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let at = shared.clone();
    let operation = async { authenticated(&shared, &received).map_or_else(refused, |_| chunks(at, wanted)) };
    shared.faults.handle(Endpoint::Api, operation).await
}

fn chunks(shared: Arc<Shared>, wanted: Wanted) -> Response {
    let chunk = Bytes::from(vec![b'x'; wanted.bytes]);
    let body = stream::iter(0..wanted.chunks).then(move |_| {
        let (shared, chunk) = (shared.clone(), chunk.clone());
        async move {
            if wanted.paced == 1 {
                shared.streams.chunks.acquire().await.map_err(io::Error::other)?.forget();
            }
            Ok::<_, io::Error>(chunk)
        }
    });
    ([(header::CONTENT_TYPE, "application/octet-stream")], Body::from_stream(body)).into_response()
}

/// Returns how many bytes came, and in which chunks at what time.
pub(super) async fn upload(
    State(shared): State<Arc<Shared>>,
    Extension(received): Extension<Received>,
    request: Request,
) -> Response {
    let operation = async {
        match authenticated(&shared, &received) {
            Ok(_) => counted(&shared, request).await,
            Err(error) => refused(error),
        }
    };
    shared.faults.handle(Endpoint::Api, operation).await
}

async fn counted(shared: &Shared, request: Request) -> Response {
    let began = Instant::now();
    let mut chunks: Vec<Value> = Vec::new();
    let mut bytes = 0;
    let mut body = request.into_body().into_data_stream();
    while let Some(chunk) = body.next().await {
        let Ok(chunk) = chunk else { return StatusCode::BAD_REQUEST.into_response() };
        bytes += chunk.len();
        chunks.push(json!({"bytes": chunk.len(), "milliseconds": began.elapsed().as_secs_f64() * 1000.0}));
        shared.streams.uploaded.send_modify(|uploaded| *uploaded += chunk.len());
    }
    Json(json!({"ok": true, "bytes": bytes, "chunks": chunks})).into_response()
}
