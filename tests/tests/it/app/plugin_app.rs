//! A host with plugins under test, by default `hostile` and a good one, and its owner.

use std::ops::Deref;

use anyhow::{Context, Result, ensure};
use jackfield_test_support::{
    host::HostBuilder,
    http_client::{DialogMessage, HttpClient},
    processes::{self, Process, until},
    stand_in_slack::StandInSlack,
};
use serde_json::Value;

use crate::app::{TestApp, bare, redacted_record};

/// What a user reads after any harm.
pub(crate) const INTERNAL: &str = "an internal error occurred";

/// The package of the hostile library.
pub(crate) const PLUGIN: &str = "jackfield-fixture-hostile";

pub(crate) struct PluginApp {
    pub(crate) base: TestApp,
    pub(crate) owner: HttpClient,
}

impl Deref for PluginApp {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.base
    }
}

/// The hostile plugin and the good one, with a log in JSON.
fn plugins(toml: &str) -> HostBuilder {
    readable(bare()).plugin("hostile").plugin("example").toml(toml)
}

/// Logs one JSON object per line.
pub(crate) fn readable(builder: HostBuilder) -> HostBuilder {
    builder.env("JACKFIELD_LOG_FORMAT", "json")
}

impl PluginApp {
    pub(crate) async fn new(toml: &str) -> Result<Self> {
        let slack = StandInSlack::start().await?;
        let toml = toml.replace("PORT", &slack.port().to_string());
        Self::of(plugins(&toml), slack).await
    }

    /// Any other host with an organization and its owner.
    pub(crate) async fn of(builder: HostBuilder, slack: StandInSlack) -> Result<Self> {
        let host = builder.start()?;
        host.organization("acme")?;
        let app = TestApp { host, slack };
        let owner = app.log_in_as("owner").await?;
        Ok(Self { base: app, owner })
    }

    /// Makes a provider do its harm to a target.
    pub(crate) async fn harm(&self, provider: &str, target: &str) -> Result<DialogMessage> {
        posted(&self.owner, provider, &[("go", "1"), ("target", target)]).await
    }

    /// Asserts that the harm has ended one setup and nothing else: the user and the operator are
    /// told, nothing is stored, everything else continues.
    pub(crate) async fn assert_contained(&self, provider: &str, reasons: &[&str], words: &str) -> Result<()> {
        let (seen, stored) = (self.failures(provider)?.len(), self.stored_names(provider).await?);
        let dialog = self.harm(provider, "").await.with_context(|| provider.to_owned())?;
        assert_eq!((dialog.success, dialog.detail()), (false, INTERNAL), "{provider}: {}", dialog.data);
        self.example_works().await.with_context(|| format!("after {provider}"))?;
        let failures = self.failures(provider)?;
        assert_eq!(failures.len(), seen + 1, "{provider}: {failures:?}");
        assert_failure(&failures[seen], reasons, words);
        assert_eq!(self.stored_names(provider).await?, stored, "{provider} has stored something");
        Ok(())
    }

    /// Asserts that the provider works.
    pub(crate) async fn assert_calm(&self, provider: &str) -> Result<()> {
        let dialog =
            posted(&self.owner, provider, &[("calm", "1")]).await.with_context(|| format!("calm {provider}"))?;
        assert!(dialog.success, "{provider} works again: {} in\n{}", dialog.detail(), self.host.log()?);
        assert_eq!(dialog.data["name"], "calm", "{provider}");
        Ok(())
    }

    /// Sets up the good plugin.
    pub(crate) async fn example_works(&self) -> Result<()> {
        let dialog = posted(&self.owner, "example", &[("name", "fine")]).await?;
        ensure!(dialog.success, "example: {}", dialog.data);
        Ok(())
    }

    /// The failed steps of a provider, as they were logged.
    pub(crate) fn failures(&self, provider: &str) -> Result<Vec<Value>> {
        let mut lines = self.records()?;
        lines.retain(|line| line["message"] == "a step failed" && line["provider.id"] == provider);
        Ok(lines)
    }

    /// The only failed step of a provider, as it was logged.
    pub(crate) fn failure(&self, provider: &str) -> Result<String> {
        let failures = self.failures(provider)?;
        ensure!(failures.len() == 1, "{failures:#?}");
        Ok(redacted_record(&failures[0]))
    }

    /// The only record with a message, or with a value, as it was logged.
    pub(crate) fn record(&self, text: &str) -> Result<String> {
        let mut records = self.records()?;
        records.retain(|record| record.as_object().is_some_and(|fields| fields.values().any(|value| value == text)));
        ensure!(records.len() == 1, "{records:#?}");
        Ok(redacted_record(&records[0]))
    }

    /// Every line of the log.
    pub(crate) fn records(&self) -> Result<Vec<Value>> {
        let log = self.host.log()?;
        log.lines().map(|line| serde_json::from_str(line).with_context(|| format!("no record: {line}"))).collect()
    }

    /// The names of a provider's stored integrations.
    pub(crate) async fn stored_names(&self, provider: &str) -> Result<Vec<String>> {
        let rows = self.database().await?.integrations().await?;
        let rows = rows.into_iter().map(|(row, _)| row.integration).filter(|stored| stored.provider == provider);
        Ok(rows.map(|stored| stored.name).collect())
    }

    /// Asserts that there are this many workers and no other child process.
    pub(crate) fn workers(&self, count: usize) -> Result<Vec<Process>> {
        let is_worker = |process: &Process| process.command_line.iter().any(|word| word == "plugin-worker");
        let look = || self.host.workers();
        until(look, |workers| workers.len() == count && workers.iter().all(is_worker)).context("one worker a plugin")
    }

    /// Stops the host and asserts that no process is left.
    pub(crate) fn assert_nothing_is_left(self, workers: &[Process]) -> Result<()> {
        drop(self.base.host);
        left(workers)
    }
}

/// Waits until one of these processes has used as much time as only an endless loop does.
pub(crate) async fn looping(processes: Vec<u32>) -> Result<()> {
    tokio::task::spawn_blocking(move || {
        let used = || processes.iter().map(|pid| Ok(processes::read(*pid)?.ticks)).collect::<Result<Vec<_>>>();
        let before = used()?;
        let grown = || Ok(used()?.iter().zip(&before).map(|(now, before)| now - before).max());
        until(grown, |grown| *grown >= Some(30)).map(drop)
    })
    .await?
}

/// Asserts that none of these processes lives.
pub(crate) fn left(workers: &[Process]) -> Result<()> {
    let alive = || Ok(workers.iter().filter(|worker| worker.is_alive()).cloned().collect::<Vec<_>>());
    until(alive, Vec::is_empty).map(drop)
}

fn assert_failure(failure: &Value, reasons: &[&str], words: &str) {
    let is_text = |key: &str| failure[key].as_str().is_some_and(|text| !text.is_empty());
    assert!(failure["plugin.name"] == PLUGIN && is_text("setup.id") && is_text("error"), "{failure}");
    let reason = failure["plugin.reason"].as_str().unwrap_or_default();
    assert!(reasons.contains(&reason), "wanted one of {reasons:?}: {failure}");
    assert!(failure["error"].as_str().unwrap_or_default().contains(words), "wanted {words:?}: {failure}");
}

/// Starts a setup, posts one form and reads the dialog message.
pub(crate) async fn posted(user: &HttpClient, provider: &str, form: &[(&str, &str)]) -> Result<DialogMessage> {
    user.start_setup("acme", provider).await?;
    user.post(&format!("/extensions/{provider}/setup/"), form).await?.dialog()
}
