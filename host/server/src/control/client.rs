//! The command line's end.

use std::path::{Path, PathBuf};

use reqwest::{Client, Method, StatusCode};
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::RotationLine;
use jackfield_loader::PluginStatus;
use jackfield_services::{
    keys::{Rotated, Rotation},
    reload::Reloaded,
};

/// A running host, as the command line reaches it.
pub struct Control {
    client: Client,
    path: PathBuf,
}

/// Why a running host gave no answer.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Nobody answers at the socket.
    #[error(
        "no host answers at {} (system.control)\n  help: start one with `jackfield serve`, or run this where it was started and as its user",
        .0.display()
    )]
    NotRunning(PathBuf),
    /// It answered that it could not.
    #[error("{0}")]
    Refused(String),
    /// It answered something else.
    #[error("the host's answer cannot be read: {0}; are both of one version?")]
    Answer(String),
}

impl Control {
    /// The host whose control socket is there, whether it runs or not.
    ///
    /// # Errors
    /// When no client can be built.
    pub fn at(path: &Path) -> Result<Self, ControlError> {
        // The rustls of the workspace has no provider built in; a second call finds it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().unix_socket(path).no_proxy().build();
        let client = client.map_err(|error| ControlError::Answer(error.to_string()))?;
        Ok(Self { client, path: path.to_owned() })
    }

    /// Has it re-read its configuration.
    ///
    /// # Errors
    /// When it does not run, or would not change.
    pub async fn reload(&self) -> Result<Reloaded, ControlError> {
        self.ask(Method::POST, "/reload").await
    }

    /// How its plugins are doing.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn plugins(&self) -> Result<Vec<PluginStatus>, ControlError> {
        self.ask(Method::GET, "/plugins").await
    }

    /// Has it rotate keys, and tells how many values are sealed anew so far.
    ///
    /// # Errors
    /// When it does not run, or could not rotate.
    pub async fn rotate(&self, rotation: &Rotation, mut tell: impl FnMut(u64)) -> Result<Rotated, ControlError> {
        let unreadable = |error: &dyn std::fmt::Display| ControlError::Answer(error.to_string());
        let body = serde_json::to_string(rotation).map_err(|error| unreadable(&error))?;
        let asked = self.client.post("http://jackfield/keys/rotate").header("content-type", "application/json");
        let answer = asked.body(body).send().await;
        let mut answer = answer.map_err(|_| ControlError::NotRunning(self.path.clone()))?;
        let mut waiting = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| unreadable(&error))? {
            waiting.extend_from_slice(&chunk);
            while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = waiting.drain(..=end).collect();
                match serde_json::from_slice(&line).map_err(|error| unreadable(&error))? {
                    RotationLine::Resealed(count) => tell(count),
                    RotationLine::Done(rotated) => return Ok(rotated),
                    RotationLine::Failed(error) => return Err(ControlError::Refused(error)),
                }
            }
        }
        Err(ControlError::Answer("it ended before the rotation did; run this again to go on".to_owned()))
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, ControlError> {
        let unreadable = |error: reqwest::Error| ControlError::Answer(error.to_string());
        // The name is for the header only: the socket says who is meant.
        let answer = self.client.request(method, format!("http://jackfield{path}")).send().await;
        let answer = answer.map_err(|_| ControlError::NotRunning(self.path.clone()))?;
        let status = answer.status();
        let body = answer.text().await.map_err(unreadable)?;
        if status == StatusCode::UNPROCESSABLE_ENTITY {
            return Err(ControlError::Refused(body));
        }
        serde_json::from_str(&body).map_err(|error| ControlError::Answer(error.to_string()))
    }
}
