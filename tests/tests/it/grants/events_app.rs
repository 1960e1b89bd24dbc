//! An installed Slack whose events come in, and what is left of its grants afterwards.

use std::ops::Deref;

use anyhow::{Context, Result, ensure};
use jackfield_store::grants::Status;
use jackfield_test_support::{
    http_client::{HttpClient, HttpResponse},
    stand_in::Rotation,
    stand_in_slack::Delivery,
};
use serde_json::{Value, json};
use time::Duration;

use crate::{app::TestApp, audit::log::rows};

pub(super) const TEAM: &str = "T0STANDIN";
pub(super) const ADA: &str = "U0ADA";
pub(super) const BOB: &str = "U0BOB";
pub(super) const DAY: Duration = Duration::DAY;
pub(super) const WITH_PEOPLE: &str = "signing-secret = \"stand-in-signing-secret\"\nuser-scopes = [\"search:read\"]";

/// An installed Slack with events, and with tokens of a bot and of a user.
pub(super) struct EventsApp {
    base: TestApp,
    pub(super) owner: HttpClient,
}

impl Deref for EventsApp {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.base
    }
}

/// The state of an integration: its status, and of each grant the name, subject, status, reason,
/// whether it is due, and generation.
pub(super) type Left = (String, Vec<(String, String, Status, Option<String>, bool, i64)>);

impl EventsApp {
    pub(super) async fn new(database: Option<String>) -> Result<Self> {
        Self::with(database, Rotation::Off).await
    }

    pub(super) async fn with(database: Option<String>, rotation: Rotation) -> Result<Self> {
        let app = TestApp::start_with("v2", database, |host| host.toml(WITH_PEOPLE)).await?;
        app.slack.behave(|behaviour| behaviour.rotation = rotation);
        let owner = app.log_in_as("owner").await?;
        let app = Self { base: app, owner };
        app.install("acme").await?;
        Ok(app)
    }

    pub(super) async fn install(&self, organization: &str) -> Result<()> {
        let installed = self.owner.install(organization, "slack").await?.dialog()?;
        ensure!(installed.success, "{:?}", installed.data);
        Ok(())
    }

    pub(super) fn url(&self) -> String {
        self.host.at("/extensions/slack/events/")
    }

    pub(super) async fn deliver(&self, delivery: &Delivery) -> Result<HttpResponse> {
        self.slack.deliver(&self.url(), delivery).await
    }

    /// Delivers an event, and asserts that the response is what Slack wants.
    pub(super) async fn tell(&self, delivery: &Delivery) -> Result<()> {
        let response = self.deliver(delivery).await?;
        ensure!((response.status, &*response.text) == (200, ""), "{response:?}");
        Ok(())
    }

    pub(super) async fn left(&self, team: &str) -> Result<Left> {
        let stored = self.database().await?;
        let all = stored.integrations().await?;
        let one = all.iter().map(|(one, _)| one).find(|one| one.integration.external_id == team);
        let grants = stored.grants(team).await?.into_iter().map(|(grant, _)| grant);
        let grants = grants
            .map(|one| (one.name, one.subject, one.status, one.reason, one.due_at.is_some(), one.generation))
            .collect();
        Ok((one.context("it stays")?.link.status.as_str().to_owned(), grants))
    }

    /// Status of the integration, and its active grants, as `bot`, `user U0ADA`.
    pub(super) async fn usable(&self, team: &str) -> Result<(String, Vec<String>)> {
        let (status, grants) = self.left(team).await?;
        let active = grants.into_iter().filter(|(_, _, status, ..)| *status == Status::Active);
        Ok((status, active.map(|(name, subject, ..)| format!("{name} {subject}").trim_end().to_owned()).collect()))
    }

    /// Waits until only these grants of an integration are active.
    pub(super) async fn until_usable(&self, team: &str, expected: &[&str]) -> Result<()> {
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(50));
        for _ in 0..600 {
            looks.tick().await;
            if self.usable(team).await?.1 == expected {
                return Ok(());
            }
        }
        anyhow::bail!("{:?}", self.left(team).await?)
    }

    /// The audit entries of the provider: organization, cause, grant, subject, event.
    pub(super) fn audit_entries(&self) -> Result<Vec<[String; 5]>> {
        let rows = rows(&self.host)?;
        let theirs = rows.iter().filter(|row| row["actor"]["kind"] == "provider");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(theirs
            .map(|row| {
                assert!((&row["action"], &row["actor"]["name"]) == (&json!("revoke"), &json!("slack")), "{row}");
                assert!(row["pluginDigest"].is_string(), "{row}");
                let detail = &row["detail"];
                let fields =
                    [&row["organization"], &detail["cause"], &detail["grant"], &detail["subject"], &detail["event"]];
                fields.map(text)
            })
            .collect())
    }

    pub(super) async fn page(&self) -> Result<String> {
        let id = self.database().await?.integrations().await?[0].0.integration.id;
        Ok(self.owner.visit(&format!("/organizations/acme/integrations/{id}/")).await?.text)
    }
}
