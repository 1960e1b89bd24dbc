//! A host whose work is counted, and the requests that are looked at.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use jackfield_store::seeding::{Seed, seed};
use jackfield_test_support::{
    host::{HostBuilder, Program},
    http_client::HttpClient,
    postgres_relay::PostgresRelay,
    stand_in_slack::StandInSlack,
};
use tempfile::TempDir;

use crate::app::{ApiClient, TestApp, slack_options};

/// Requests of each kind. What else a host does now and then, such as a checkpoint, comes on top of
/// some; the least of all is what the request itself costs.
const ROUNDS: usize = 12;
/// Setups before anything is counted.
const WARM_UP: usize = 3;

/// What is counted, in the order of the columns.
pub(super) type Counts = Vec<u64>;

/// Where the counts are read.
pub(super) enum Counter {
    /// The file that the counted host writes.
    File(PathBuf),
    /// The relay before PostgreSQL.
    Relay(PostgresRelay),
}

/// A host with an owner and a program.
pub(super) struct CountedApp {
    app: TestApp,
    owner: HttpClient,
    program: ApiClient,
    counter: Counter,
    /// So many setups there were.
    setups: usize,
    _folder: TempDir,
}

/// The least counts of each request, by its name.
#[derive(Default)]
pub(super) struct Least(Vec<(&'static str, Counts)>);

impl Counter {
    fn now(&self) -> Result<Counts> {
        match self {
            Self::File(file) => {
                let bytes = std::fs::read(file)?;
                let counters = bytes.chunks_exact(8).map(|chunk| chunk.try_into().map(u64::from_ne_bytes));
                Ok(counters.collect::<Result<_, _>>()?)
            }
            Self::Relay(relay) => Ok(vec![relay.traffic().round_trips, relay.traffic().statements]),
        }
    }
}

impl CountedApp {
    /// On SQLite, or on PostgreSQL behind a relay.
    pub(super) async fn start(relay: Option<PostgresRelay>) -> Result<Self> {
        let (folder, slack) = (tempfile::tempdir()?, StandInSlack::start().await?);
        let file = folder.path().join("counters");
        let program = Program { path: env!("CARGO_BIN_EXE_counted-host").into(), arguments: Vec::new() };
        let database = relay.as_ref().map(PostgresRelay::url);
        let host = HostBuilder::new(program).plugin("slack").toml(&slack_options(&slack, "v2")).database(database);
        // As an operator's host logs: each line of the log allocates.
        let host = host.log("info").env("JACKFIELD_COUNTED_HOST", &file.display().to_string()).start()?;
        host.organization("acme")?;
        let app = TestApp { host, slack };
        let owner = app.log_in_as("owner").await?;
        let token = app.host.token("acme", &["integrations:token", "integrations:proxy", "org:read"])?;
        let program = ApiClient::with_token(&app.host, &token);
        let counter = relay.map_or(Counter::File(file), Counter::Relay);
        Ok(Self { app, owner, program, counter, setups: 0, _folder: folder })
    }

    /// Counts all requests that are looked at.
    pub(super) async fn count(&mut self) -> Result<Least> {
        let mut least = Least::default();
        for _ in 0..WARM_UP {
            self.set_up(&mut Least::default()).await?;
        }
        for _ in 0..ROUNDS {
            let id = self.set_up(&mut least).await?;
            self.program.path = format!("/api/0/organizations/acme/integrations/{id}/");
        }
        for _ in 0..WARM_UP {
            self.call(&mut Least::default()).await?;
        }
        for _ in 0..ROUNDS {
            self.call(&mut least).await?;
        }
        Ok(least)
    }

    /// Adds integrations of other organizations.
    pub(super) async fn grow(&self, integrations: i64) -> Result<()> {
        let store = self.app.host.store().await?;
        let (organizations, provider) = (10, "slack".to_owned());
        let rows = Seed { integrations, organizations, own: None, audit_rows: integrations, provider };
        Ok(seed(&store, &rows, |_| ()).await?)
    }

    /// One setup, request by request; returns the integration's id.
    async fn set_up(&mut self, least: &mut Least) -> Result<String> {
        let number = self.setups;
        self.setups += 1;
        // All ids have the same length, so that all setups allocate the same.
        self.app.slack.behave(|behaviour| behaviour.team_id = format!("T{number:04}"));
        let path = "/organizations/acme/integrations/slack/setup/";
        let start = self.counted("setup: start", least, self.owner.visit(path)).await?;
        let step = start.redirect()?;
        let leave = self.counted("setup: to Slack", least, self.owner.visit(step.as_str())).await?;
        let back = self.owner.consent(&leave).await?;
        let end = self.counted("setup: callback", least, self.owner.visit(&back)).await?.dialog()?;
        ensure!(end.success, "{}", end.data);
        Ok(end.data["id"].as_str().context("an id")?.to_owned())
    }

    /// What programs do.
    async fn call(&self, least: &mut Least) -> Result<()> {
        let call = self.counted("proxied call", least, self.program.proxy_get("auth.test")).await?;
        let token = self.counted("token read", least, self.program.get_token("bot")).await?;
        let path = "/api/0/organizations/acme/integrations/";
        let list = self.counted("list of 15", least, self.program.get(path)).await?;
        ensure!(list.json()?.as_array().is_some_and(|all| all.len() == self.setups), "{}", list.text);
        ensure!([call.status, token.status] == [200, 200], "{} {}", call.text, token.text);
        Ok(())
    }

    async fn counted<T>(
        &self,
        name: &'static str,
        least: &mut Least,
        act: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let before = self.counter.now()?;
        let result = act.await?;
        let after = self.counter.now()?;
        least.add(name, after.iter().zip(before).map(|(after, before)| after - before).collect());
        Ok(result)
    }
}

impl Least {
    fn add(&mut self, name: &'static str, counts: Counts) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, least)) => least.iter_mut().zip(counts).for_each(|(least, count)| *least = count.min(*least)),
            None => self.0.push((name, counts)),
        }
    }

    /// All, in the order in which they were met first, and a whole setup before them.
    pub(super) fn rows(self) -> Vec<(String, Counts)> {
        let parts = self.0.iter().filter(|(name, _)| name.starts_with("setup: "));
        let sum =
            |sum: Counts, part: &Counts| part.iter().enumerate().map(|(at, n)| n + sum.get(at).unwrap_or(&0)).collect();
        let whole = parts.fold(Counts::new(), |so_far, (_, part)| sum(so_far, part));
        let rows = self.0.iter().map(|(name, counts)| ((*name).to_owned(), counts.clone()));
        std::iter::once(("whole setup".to_owned(), whole)).chain(rows).collect()
    }
}
