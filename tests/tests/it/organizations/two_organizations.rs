//! Two organizations that have connected the same workspace of Slack, and three people: the owner
//! of the one, a manager and a plain member of the other.

use std::ops::Deref;

use anyhow::{Context, Result};
use jackfield_test_support::{
    host::HostBuilder,
    http_client::{HttpClient, HttpResponse},
    stand_in_slack::Install,
};
use reqwest::Method;
use serde_json::Value;

use crate::app::{ApiClient, PASSWORD, TestApp};

/// The options of Slack: with tokens of people, and with events.
pub(super) const WITH_PEOPLE: &str = "signing-secret = \"stand-in-signing-secret\"\nuser-scopes = [\"search:read\"]\n";
/// The workspace.
pub(super) const TEAM: &str = "T0STANDIN";
/// The accounts of the two people who have connected it.
pub(super) const ALICE: &str = "U0ALICE";
pub(super) const BOB: &str = "U0BOB";

/// All that a program may do.
const SCOPES: [&str; 4] = ["integrations:token", "org:read", "org:write", "org:integrations"];

pub(super) struct TwoOrganizations {
    base: TestApp,
    /// Owner of `acme`.
    pub(super) alice: HttpClient,
    /// Manager of `globex`.
    pub(super) bob: HttpClient,
    /// Plain member of `globex`.
    pub(super) carol: HttpClient,
    /// Programs with every scope, of the one and of the other.
    pub(super) acme: ApiClient,
    pub(super) globex: ApiClient,
}

impl Deref for TwoOrganizations {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.base
    }
}

impl TwoOrganizations {
    /// With nothing connected yet.
    pub(super) async fn new(database: Option<String>, change: impl FnOnce(HostBuilder) -> HostBuilder) -> Result<Self> {
        let base = TestApp::start_with("v2", database, |host| change(host.toml(WITH_PEOPLE))).await?;
        let host = &base.host;
        host.organization("globex")?;
        for (person, organization, role) in
            [("alice", "acme", "owner"), ("bob", "globex", "manager"), ("carol", "globex", "member")]
        {
            host.user(&email(person), PASSWORD)?;
            host.member(organization, &email(person), role)?;
        }
        let log_in = async |person: &str| HttpClient::logged_in(&host.url, &email(person), PASSWORD).await;
        let (alice, bob, carol) = (log_in("alice").await?, log_in("bob").await?, log_in("carol").await?);
        let program = |slug: &str| Ok::<_, anyhow::Error>(ApiClient::with_token(host, &host.token(slug, &SCOPES)?));
        let (acme, globex) = (program("acme")?, program("globex")?);
        Ok(Self { base, alice, bob, carol, acme, globex })
    }

    /// With the same workspace connected by both, each by an account of its own.
    pub(super) async fn connected(database: Option<String>) -> Result<Self> {
        let mut app = Self::new(database, |host| host).await?;
        let id = app.connect("acme", ALICE).await?;
        assert_eq!(app.connect("globex", BOB).await?, id, "one integration");
        for (client, slug) in [(&mut app.acme, "acme"), (&mut app.globex, "globex")] {
            client.path = format!("/api/0/organizations/{slug}/integrations/{id}/");
        }
        Ok(app)
    }

    /// Connects the workspace for an organization, as an account. Returns the integration's id.
    pub(super) async fn connect(&self, organization: &str, account: &str) -> Result<String> {
        let installed = self.install(organization, account).await?.dialog()?;
        assert!(installed.success, "{:?}", installed.data);
        Ok(installed.data["id"].as_str().context("an id")?.to_owned())
    }

    /// The end of a setup.
    pub(super) async fn install(&self, organization: &str, account: &str) -> Result<HttpResponse> {
        self.slack.behave(|behaviour| behaviour.user_id = account.to_owned());
        let person = if organization == "acme" { &self.alice } else { &self.bob };
        person.install(organization, "slack").await
    }

    /// From now on Slack gives only the person's own token.
    pub(super) fn without_bot(&self) {
        self.slack.behave(|behaviour| behaviour.install = Install::UserOnly);
    }

    /// An access token; `None`: there is none.
    pub(super) async fn token_of(&self, program: &ApiClient, grant: &str, subject: &str) -> Result<Option<String>> {
        let path = format!("{}token/?grant={grant}&subject={subject}", program.path);
        Ok(program.get(&path).await?.json()?["accessToken"].as_str().map(str::to_owned))
    }

    /// Name and subject of the grants that a program is shown.
    pub(super) async fn grants_of(&self, program: &ApiClient) -> Result<Vec<String>> {
        let shown = program.get(&format!("{}grants/", program.path)).await?.json()?;
        let name = |grant: &Value| {
            let subject = grant["subject"].as_str().unwrap_or_default();
            format!("{} {subject}", grant["name"].as_str().unwrap_or_default()).trim_end().to_owned()
        };
        Ok(shown.as_array().into_iter().flatten().map(name).collect())
    }

    pub(super) async fn delete(&self, program: &ApiClient) -> Result<u16> {
        Ok(program.send(program.request(Method::DELETE, &program.path)).await?.status)
    }
}

pub(super) fn email(person: &str) -> String {
    format!("{person}@example.com")
}
