//! A host with two plugins, a stand-in Slack, an organization `acme` and its users.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use jackfield_test_support::{
    host::{Host, HostBuilder, Program},
    http_client::HttpClient,
    stand_in::Rotation,
    stand_in_slack::{Install, StandInSlack},
};
use serde_json::Value;

use super::{api_client::ApiClient, app_database::AppDatabase};

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

/// Makes a user with a role in `acme` and logs in as `ROLE@example.com`.
pub(crate) async fn log_in_as(host: &Host, role: &str) -> Result<HttpClient> {
    let email = format!("{role}@example.com");
    host.user(&email, PASSWORD)?;
    host.member("acme", &email, role)?;
    log_in(host, &email).await
}

/// Makes the organization `acme` with an owner, and logs in as that owner.
pub(crate) async fn owner_of_acme(host: &Host) -> Result<HttpClient> {
    host.organization("acme")?;
    log_in_as(host, "owner").await
}

/// Adds an integration of Example; returns its id.
pub(crate) async fn add_example(user: &HttpClient, organization: &str, name: &str) -> Result<String> {
    user.start_setup(organization, "example").await?;
    let added = user.post("/extensions/example/setup/", &[("name", name)]).await?.dialog()?;
    ensure!(added.success, "{}", added.data);
    Ok(added.data["id"].as_str().context("an id")?.to_owned())
}

/// Logs in as a user who is there already.
pub(crate) async fn log_in(host: &Host, email: &str) -> Result<HttpClient> {
    HttpClient::logged_in(&host.url, email, PASSWORD).await
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
        log_in_as(&self.host, role).await
    }

    /// The integrations of `acme`, as the API shows them.
    pub(crate) async fn list_integrations(&self, user: &HttpClient) -> Result<Vec<Value>> {
        let list = user.visit("/api/0/organizations/acme/integrations/").await?.json()?;
        Ok(list.as_array().cloned().unwrap_or_default())
    }

    /// Installs a Slack whose tokens rotate; returns its owner, and a client that may read them.
    pub(crate) async fn install_rotating_slack(&self) -> Result<(HttpClient, ApiClient)> {
        self.slack.behave(|behaviour| {
            (behaviour.rotation, behaviour.install) = (Rotation::ReuseDetected, Install::GridWorkspace);
        });
        let owner = self.log_in_as("owner").await?;
        let installed = owner.install("acme", "slack").await?.dialog()?;
        assert!(installed.success, "{:?}", installed.data);
        let client = ApiClient::of_integration(&self.host, &installed.data)?;
        Ok((owner, client))
    }

    /// Opens the database.
    pub(crate) async fn database(&self) -> Result<AppDatabase> {
        AppDatabase::of(&self.host).await
    }
}
