//! The yardstick as a process of its own, on the core of the servers.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{
    browser::{Browser, Installer},
    resources::Group,
    service::Service,
};

/// The word that makes this program be the yardstick.
pub(crate) const COMMAND: &str = "yardstick";

/// A running yardstick.
pub(crate) struct Yardstick {
    process: Child,
    _folder: TempDir,
    address: String,
}

impl Yardstick {
    /// Starts it with a new database.
    pub(crate) fn start(service: &Service, core: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut process = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(std::env::current_exe()?)
            .arg(COMMAND)
            .arg(folder.path().join("yardstick.db"))
            .arg(&service.address)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        BufReader::new(process.stdout.take().context("stdout is piped")?).read_line(&mut address)?;
        Ok(Self { process, _folder: folder, address: address.trim().to_owned() })
    }

    /// Its process.
    pub(crate) fn group(&self) -> Result<Group> {
        Group::of(self.process.id())
    }

    /// People who set up there. A number in a cookie says who it is.
    pub(crate) async fn people(&self, count: usize) -> Result<Vec<Installer>> {
        let mut people = Vec::new();
        for number in 0..count {
            let browser = Browser::at(&self.address).await?.with_cookie("person", &number.to_string());
            people.push(Installer::new(browser, "/organizations/acme/integrations/slack/setup/", "\"success\":true"));
        }
        Ok(people)
    }
}

impl Drop for Yardstick {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
