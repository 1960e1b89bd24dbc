//! @slack/oauth on Express: Slack's own library for the same task, from npm.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use jackfield_test_support::interop::interop;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    browser::{Browser, Installer},
    resources::Group,
    service::{AUTHORIZE, CLIENT_ID, CLIENT_SECRET, Service},
};

/// A running Express.
pub(crate) struct Express {
    process: Child,
    _folder: TempDir,
    address: String,
}

impl Express {
    /// Starts it on a core; `None`, with a loud message, where it cannot be had.
    pub(crate) fn start(service: &Service, core: usize) -> Result<Option<Self>> {
        let Some(interop) = interop() else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        let wanted = json!({
            "slack": service.url(""), "authorizationUrl": AUTHORIZE, "clientId": CLIENT_ID,
            "clientSecret": CLIENT_SECRET, "folder": folder.path(),
        });
        let node = interop.node("slack-express.mjs");
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", &core.to_string()]).arg(node.get_program()).args(node.get_args());
        pinned.env("NODE_ENV", "production").arg(wanted.to_string());
        let mut process = pinned.stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        BufReader::new(process.stdout.take().context("stdout is piped")?).read_line(&mut address)?;
        let address = address.trim().trim_start_matches("http://").to_owned();
        ensure!(!address.is_empty(), "slack-express.mjs has ended");
        Ok(Some(Self { process, _folder: folder, address }))
    }

    /// Its process.
    pub(crate) fn group(&self) -> Result<Group> {
        Group::of(self.process.id())
    }

    /// People who install.
    pub(crate) async fn people(&self, count: usize) -> Result<Vec<Installer>> {
        let mut people = Vec::new();
        for _ in 0..count {
            people.push(Installer::new(Browser::at(&self.address).await?, "/slack/install", "installed"));
        }
        Ok(people)
    }
}

impl Drop for Express {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
