//! The events that Slack sends to the request URL of an app
//! (<https://docs.slack.dev/apis/events-api>), signed as in
//! <https://docs.slack.dev/authentication/verifying-requests-from-slack>.

use anyhow::Result;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use time::OffsetDateTime;

use super::{answers::APP, server::StandInSlack};
use crate::http_client::{HttpClient, HttpResponse};

/// One delivery. It can be sent again, as Slack does after an error.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Body, as JSON.
    pub body: Value,
    /// Its timestamp, in seconds from now.
    pub skew: i64,
}

impl Delivery {
    /// An event in a workspace, now.
    #[must_use]
    pub fn new(id: &str, team: &str, event: &Value) -> Self {
        let body = json!({
            "token": "deprecated", "team_id": team, "api_app_id": APP, "event": event, "type": "event_callback",
            "event_id": id, "event_time": OffsetDateTime::now_utc().unix_timestamp(),
            "authorizations": [{"enterprise_id": null, "team_id": team, "is_bot": true, "is_enterprise_install": false}],
        });
        Self { body, skew: 0 }
    }

    /// The app was uninstalled: <https://docs.slack.dev/reference/events/app_uninstalled>.
    #[must_use]
    pub fn uninstalled(id: &str, team: &str) -> Self {
        Self::new(id, team, &json!({"type": "app_uninstalled"}))
    }

    /// Tokens of these users and bots were revoked:
    /// <https://docs.slack.dev/reference/events/tokens_revoked>.
    #[must_use]
    pub fn revoked(id: &str, team: &str, users: &[&str], bots: &[&str]) -> Self {
        Self::new(id, team, &json!({"type": "tokens_revoked", "tokens": {"oauth": users, "bot": bots}}))
    }

    /// Slack verifies the URL: <https://docs.slack.dev/reference/events/url_verification>.
    #[must_use]
    pub fn challenge(challenge: &str) -> Self {
        let body = json!({"token": "deprecated", "challenge": challenge, "type": "url_verification"});
        Self { body, skew: 0 }
    }

    /// In a workspace of an enterprise; or in the whole enterprise, if the app is installed there.
    #[must_use]
    pub fn in_enterprise(mut self, enterprise: &str, is_whole: bool) -> Self {
        self.body["enterprise_id"] = enterprise.into();
        self.body["authorizations"][0]["enterprise_id"] = enterprise.into();
        self.body["authorizations"][0]["is_enterprise_install"] = is_whole.into();
        self
    }

    /// It happened some seconds ago, and comes late.
    #[must_use]
    pub fn ago(mut self, seconds: i64) -> Self {
        self.body["event_time"] = (OffsetDateTime::now_utc().unix_timestamp() - seconds).into();
        self
    }

    /// Signed with a clock that is some seconds ahead.
    #[must_use]
    pub const fn skewed(mut self, seconds: i64) -> Self {
        self.skew = seconds;
        self
    }
}

impl StandInSlack {
    /// Sends a delivery to a request URL.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn deliver(&self, url: &str, delivery: &Delivery) -> Result<HttpResponse> {
        self.deliver_text(url, &delivery.body.to_string(), delivery.skew).await
    }

    /// Sends any body, signed.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn deliver_text(&self, url: &str, body: &str, skew: i64) -> Result<HttpResponse> {
        let at = (OffsetDateTime::now_utc().unix_timestamp() + skew).to_string();
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.client().signing_secret.as_bytes())?;
        let mac = mac.chain_update(format!("v0:{at}:{body}")).finalize().into_bytes();
        let signature = mac.iter().fold("v0=".to_owned(), |hex, byte| format!("{hex}{byte:02x}"));
        let service = HttpClient::new(url);
        let request = service.request(Method::POST, url).header("content-type", "application/json");
        let request = request.header("x-slack-request-timestamp", at).header("x-slack-signature", signature);
        service.send(request.body(body.to_owned())).await
    }
}
