//! A host with two plugins, a stand-in Slack, an organization `acme` and its users.

use std::path::Path;

use anyhow::Result;
use jackfield_test_support::{
    host::{Host, HostBuilder, Program},
    http_client::HttpClient,
    stand_in_slack::StandInSlack,
};
use serde_json::Value;

use super::app_database::AppDatabase;

/// The password of all users.
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct TestApp {
    pub(crate) host: Host,
    pub(crate) slack: StandInSlack,
}

pub(crate) fn program() -> Program {
    Program { path: env!("CARGO_BIN_EXE_jackfield-host").into(), arguments: Vec::new() }
}

/// A host without plugins.
pub(crate) fn bare() -> HostBuilder {
    HostBuilder::new(program())
}

/// A host whose plugin `leaves_a_mark` can write a file when its constructor runs: in a worker it
/// could not.
pub(crate) fn leaving_a_mark(host: HostBuilder, mark: &Path) -> HostBuilder {
    host.toml("[plugins.leaves_a_mark]\nisolation = \"in-process\"")
        .env("JACKFIELD_FIXTURE_MARK", &mark.display().to_string())
}

/// Slack's options for the stand-in.
pub(crate) fn slack_options(slack: &StandInSlack, api: &str) -> String {
    let (authorize, token) = match api {
        "v1" => ("/oauth/authorize", "/api/oauth.access"),
        _ => ("/oauth/v2/authorize", "/api/oauth.v2.access"),
    };
    format!(
        "[http]\nallow-private = [\"127.0.0.1:{}\"]\ntimeout = 2\n\n[slack]\napi = \"{api}\"\nclient-id = \"{}\"\n\
         client-secret = \"{}\"\nauthorize-url = \"{}\"\ntoken-url = \"{}\"\n",
        slack.port(),
        slack.client().id,
        slack.client().secret,
        slack.url(authorize),
        slack.url(token),
    )
}

impl TestApp {
    /// With Slack's second API version, on SQLite.
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with("v2", None, |host| host).await
    }

    /// With an API version of Slack, a database, and a changed host.
    pub(crate) async fn start_with(
        api: &str,
        database: Option<String>,
        change: impl FnOnce(HostBuilder) -> HostBuilder,
    ) -> Result<Self> {
        let slack = StandInSlack::start().await?;
        let builder = bare().plugin("example").plugin("slack").database(database).toml(&slack_options(&slack, api));
        let host = change(builder).start()?;
        host.organization("acme")?;
        Ok(Self { host, slack })
    }

    /// Makes a user with a role in `acme` and logs in as `ROLE@example.com`.
    pub(crate) async fn log_in_as(&self, role: &str) -> Result<HttpClient> {
        let email = format!("{role}@example.com");
        self.host.user(&email, PASSWORD)?;
        self.host.member("acme", &email, role)?;
        HttpClient::logged_in(&self.host.url, &email, PASSWORD).await
    }

    /// The integrations of `acme`, as the API shows them.
    pub(crate) async fn list_integrations(&self, user: &HttpClient) -> Result<Vec<Value>> {
        let list = user.visit("/api/0/organizations/acme/integrations/").await?.json()?;
        Ok(list.as_array().cloned().unwrap_or_default())
    }

    /// Opens the database.
    pub(crate) async fn database(&self) -> Result<AppDatabase> {
        AppDatabase::of(&self.host).await
    }
}
