//! A host with both plugins, a stand-in Slack, an organization `acme` and its people.

use std::path::Path;

use anyhow::Result;
use jackfield_test_support::{
    host::{Host, HostBuilder, Program},
    http_client::HttpClient,
    stand_in_slack::StandInSlack,
};
use serde_json::Value;

use super::app_database::AppDatabase;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct TestApp {
    pub(crate) host: Host,
    pub(crate) slack: StandInSlack,
}

pub(crate) fn program() -> Program {
    Program { path: env!("CARGO_BIN_EXE_jackfield-host").into(), arguments: Vec::new() }
}

/// A host with nothing.
pub(crate) fn bare() -> HostBuilder {
    HostBuilder::new(program())
}

/// A host whose plugins' constructors can leave a mark, should one of them run: in a worker they have neither the environment nor a file.
pub(crate) fn leaving_a_mark(host: HostBuilder, mark: &Path) -> HostBuilder {
    host.toml("[plugins.leaves_a_mark]\nisolation = \"in-process\"")
        .env("JACKFIELD_FIXTURE_MARK", &mark.display().to_string())
}

/// Slack's options, pointed at the stand-in.
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
    /// With Slack's second dialect, on SQLite.
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with("v2", None, |host| host).await
    }

    /// With a dialect, a database, and whatever else the host shall have.
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

    /// Somebody with a role in `acme`, logged in; their address is `ROLE@example.com`.
    pub(crate) async fn log_in_as(&self, role: &str) -> Result<HttpClient> {
        let email = format!("{role}@example.com");
        self.host.user(&email, PASSWORD)?;
        self.host.member("acme", &email, role)?;
        HttpClient::logged_in(&self.host.url, &email, PASSWORD).await
    }

    /// What `acme` has installed, as the API shows it.
    pub(crate) async fn list_integrations(&self, person: &HttpClient) -> Result<Vec<Value>> {
        let list = person.visit("/api/0/organizations/acme/integrations/").await?.json()?;
        Ok(list.as_array().cloned().unwrap_or_default())
    }

    /// What the database holds.
    pub(crate) async fn database(&self) -> Result<AppDatabase> {
        AppDatabase::of(&self.host).await
    }
}
