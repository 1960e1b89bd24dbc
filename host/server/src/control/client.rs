//! The command line's end: HTTP over the control socket.

use std::path::{Path, PathBuf};

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request, Response, StatusCode, header},
};
use futures_util::StreamExt;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use rustix::{
    fs::{Access, access},
    io::Errno,
};
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::net::UnixStream;
use tower::service_fn;

use super::RotationLine;
use jackfield_loader::PluginStatus;
use jackfield_services::{
    keys::{Rotated, Rotation},
    reload::Reloaded,
};

/// A running host, as the command line reaches it.
pub struct Control {
    path: PathBuf,
}

/// Why a running host gave no answer.
#[derive(Debug, Error)]
pub enum ControlError {
    /// No host answers at the socket.
    #[error(
        "no host answers at {} (system.control)\n  help: start one with `jackfield serve`, or run this where it was started and as its user",
        .0.display()
    )]
    NotRunning(PathBuf),
    /// The host refused.
    #[error("{0}")]
    Refused(String),
    /// The answer cannot be read.
    #[error("the host's answer cannot be read: {0}; are both of one version?")]
    Answer(String),
}

impl Control {
    /// The host whose control socket this is. It need not run.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Whether a host may be running though none answers: it can make no socket there, or not for
    /// this user.
    #[must_use]
    pub fn may_be_hidden(&self) -> bool {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let is_closed = |path| matches!(access(path, Access::WRITE_OK), Err(Errno::ACCESS | Errno::PERM | Errno::ROFS));
        is_closed(folder) || is_closed(&self.path)
    }

    /// Makes it re-read its configuration.
    ///
    /// # Errors
    /// When it does not run, or refuses the configuration.
    pub async fn reload(&self) -> Result<Reloaded, ControlError> {
        self.ask(Method::POST, "/reload").await
    }

    /// The state of its plugins.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn plugins(&self) -> Result<Vec<PluginStatus>, ControlError> {
        self.ask(Method::GET, "/plugins").await
    }

    /// Makes it rotate keys. `report` gets the number of values that were resealed so far.
    ///
    /// # Errors
    /// When it does not run, or could not rotate.
    pub async fn rotate(&self, rotation: &Rotation, mut report: impl FnMut(u64)) -> Result<Rotated, ControlError> {
        let body = serde_json::to_string(rotation).map_err(|error| unreadable(&error))?;
        let mut pieces = self.send(Method::POST, "/keys/rotate", body.into()).await?.into_body().into_data_stream();
        let mut waiting = Vec::new();
        while let Some(piece) = pieces.next().await {
            waiting.extend_from_slice(&piece.map_err(|error| unreadable(&error))?);
            while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = waiting.drain(..=end).collect();
                match serde_json::from_slice(&line).map_err(|error| unreadable(&error))? {
                    RotationLine::Resealed(count) => report(count),
                    RotationLine::Done(rotated) => return Ok(rotated),
                    RotationLine::Failed(error) => return Err(ControlError::Refused(error)),
                }
            }
        }
        Err(ControlError::Answer("it ended before the rotation did; run this again to go on".to_owned()))
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, ControlError> {
        let answer = self.send(method, path, Body::empty()).await?;
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.map_err(|error| unreadable(&error))?;
        if status == StatusCode::UNPROCESSABLE_ENTITY {
            return Err(ControlError::Refused(String::from_utf8_lossy(&body).into_owned()));
        }
        serde_json::from_slice(&body).map_err(|error| unreadable(&error))
    }

    async fn send(&self, method: Method, path: &str, body: Body) -> Result<Response<Body>, ControlError> {
        let socket = self.path.clone();
        let connector = service_fn(move |_| {
            let socket = socket.clone();
            Box::pin(async move { UnixStream::connect(socket).await.map(TokioIo::new) })
        });
        // The name is for the header only: the socket is the address.
        let request = Request::builder().method(method).uri(format!("http://jackfield{path}"));
        let request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        let request = request.map_err(|error| unreadable(&error))?;
        let answer = Client::builder(TokioExecutor::new()).build(connector).request(request).await;
        Ok(answer.map_err(|_| ControlError::NotRunning(self.path.clone()))?.map(Body::new))
    }
}

fn unreadable(error: &dyn std::fmt::Display) -> ControlError {
    ControlError::Answer(error.to_string())
}
