//! The host's end.

use std::{
    io,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::stream;
use rustix::process::geteuid;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use super::RotationLine;
use crate::{
    app::AppHandle,
    connections::{self, Accept, Bounds, Slots},
};
use jackfield_loader::PluginStatus;
use jackfield_services::keys::Rotation;

/// A bound control socket. Its file is removed when this is dropped.
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Binds the socket. One that a killed host left behind is replaced.
    ///
    /// # Errors
    /// When another host answers there, or the file cannot be made.
    pub async fn bind(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        if UnixStream::connect(path).await.is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another host answers there"));
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = UnixListener::bind(path)?;
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
        Ok(Self { socket, path: path.to_owned() })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Accept for Listener {
    type Stream = UnixStream;

    /// Accepts connections of the host's own user and of root. The mode of the file says the same,
    /// but it is set only after the file exists.
    async fn accept(&mut self) -> io::Result<(UnixStream, Option<SocketAddr>)> {
        loop {
            let (stream, _) = self.socket.accept().await?;
            let peer = stream.peer_cred().map(|peer| peer.uid());
            if peer.is_ok_and(|uid| uid == 0 || uid == geteuid().as_raw()) {
                return Ok((stream, None));
            }
        }
    }
}

/// More commands at once wait. A command that stands still makes room for them.
const BOUNDS: Bounds = Bounds { server: "control", most: 16, most_requests: 16, longest_idle: Duration::from_secs(75) };

/// Answers the operator until it is dropped.
pub async fn serve(listener: Listener, app: AppHandle) {
    let router = Router::new()
        .route("/reload", post(reload))
        .route("/plugins", get(plugins))
        .route("/keys/rotate", post(rotate))
        .with_state(app);
    connections::serve(listener, router, Slots::new(BOUNDS), CancellationToken::new()).await;
}

/// `POST /reload`: from `jackfield reload`.
async fn reload(State(app): State<AppHandle>) -> Response {
    match app.reloader.reload().await {
        Ok(reloaded) => Json(reloaded).into_response(),
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).into_response(),
    }
}

/// `GET /plugins`: from `jackfield plugin list`.
async fn plugins(State(app): State<AppHandle>) -> Json<Vec<PluginStatus>> {
    Json(app.plugins.status())
}

/// `POST /keys/rotate`: from `jackfield key rotate`. The host continues if the command goes away.
/// Sends a line of JSON each time some rows are done, and one at the end.
async fn rotate(State(app): State<AppHandle>, Json(rotation): Json<Rotation>) -> Body {
    let (lines, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let tell = |resealed| drop(lines.send(RotationLine::Resealed(resealed)));
        let last = match app.keys.rotate(rotation, tell).await {
            Ok(rotated) => RotationLine::Done(rotated),
            Err(error) => RotationLine::Failed(error.to_string()),
        };
        let _ = lines.send(last);
    });
    let lines = stream::unfold(receiver, async |mut receiver| {
        let line: RotationLine = receiver.recv().await?;
        let json = serde_json::to_string(&line).map(|json| json + "\n");
        Some((json, receiver))
    });
    Body::from_stream(lines)
}
