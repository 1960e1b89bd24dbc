//! What the hosted pages tell the page of the program: by a message to exactly its origin, in the
//! return URL, and where it asks.

use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use jackfield_services::setup::SetupResult;

/// What every message has as its `type`.
const TYPE: &str = "jackfield-connect";

/// What of an integration a program's page gets: nothing of the organization's configuration.
const SHOWN: [&str; 5] = ["id", "name", "provider", "externalId", "status"];

/// A message to the page of the program.
#[derive(Debug, Serialize)]
pub(super) struct ConnectMessage {
    #[serde(rename = "type")]
    message_type: &'static str,
    /// `connected`, `failed` or `closed`.
    pub(super) status: &'static str,
    /// Id of the session.
    pub(super) session: String,
    /// Why nothing was connected: `denied`, `failed` or `closed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What was connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    integration: Option<Value>,
}

impl ConnectMessage {
    /// The end of a setup, good or bad.
    pub(super) fn of_end(session: String, ended: &SetupResult) -> Self {
        let integration = ended.success.then(|| shown(&ended.data));
        Self {
            message_type: TYPE,
            status: if ended.success { "connected" } else { "failed" },
            session,
            code: (!ended.success).then(|| code(ended.failed)),
            detail: ended.detail().map(str::to_owned),
            integration,
        }
    }

    /// The person has cancelled.
    pub(super) const fn closed(session: String) -> Self {
        Self { message_type: TYPE, status: "closed", session, code: Some("closed"), detail: None, integration: None }
    }

    /// Where a full page leads. Nothing in it is secret.
    pub(super) fn url(&self, return_url: &str) -> Option<String> {
        let mut url = Url::parse(return_url).ok()?;
        let kept: Vec<(String, String)> = url.query_pairs().into_owned().filter(|(name, _)| !is_ours(name)).collect();
        url.query_pairs_mut()
            .clear()
            .extend_pairs(kept)
            .append_pair("status", self.status)
            .append_pair("session", &self.session);
        Some(url.into())
    }
}

fn is_ours(name: &str) -> bool {
    matches!(name, "status" | "session")
}

/// The code of a check that has failed.
pub(in crate::web) fn code(check: Option<&str>) -> &'static str {
    if check == Some("declined") { "denied" } else { "failed" }
}

/// What of an integration a program's page gets.
pub(in crate::web) fn shown(integration: &Value) -> Value {
    let shown = SHOWN.iter().filter_map(|name| Some(((*name).to_owned(), integration.get(name)?.clone())));
    Value::Object(shown.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_return_url_keeps_its_own_query_and_gets_ours_once() {
        let url =
            |status, url| ConnectMessage { status, ..ConnectMessage::closed("7".to_owned()) }.url(url).expect("a URL");
        assert_eq!(
            url("connected", "https://app.example/done?a=b%20c&status=x"),
            "https://app.example/done?a=b+c&status=connected&session=7"
        );
        assert_eq!(url("failed", "https://app.example/"), "https://app.example/?status=failed&session=7");
    }

    #[test]
    fn a_programs_page_gets_nothing_of_the_configuration() {
        let integration = json!({"id": "1", "name": "n", "config": {"key": "secret"}, "provider": {"id": "slack"}});
        assert_eq!(shown(&integration), json!({"id": "1", "name": "n", "provider": {"id": "slack"}}));
    }
}
