//! The end of a setup, and what the pop-up tells the page that opened it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use jackfield_store::{ConnectSessionId, IntegrationId};

/// The end of a setup, good or bad.
#[derive(Clone, Debug, PartialEq)]
pub struct SetupResult {
    /// Whether an integration was stored.
    pub success: bool,
    /// The integration as the API shows it, or `{"detail": message}`. Never a token, code, state or
    /// secret.
    pub data: Value,
    /// Slug of the organization, for the way back.
    pub organization: String,
    /// What people call the provider.
    pub provider: String,
    /// Its id, for the way to start again.
    pub provider_id: String,
    /// The integration that was to be re-authenticated.
    pub integration: Option<IntegrationId>,
    /// Which check failed, if one did. The log has the same word.
    pub failed: Option<&'static str>,
    /// Whether it ran in a pop-up.
    pub dialog: bool,
    /// Where the opener also listens.
    pub channel: Option<Channel>,
    /// The way back of a person without an account here.
    pub connect: Option<ConnectReturn>,
}

/// The way back from a setup of a connect session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectReturn {
    /// The session.
    pub session: ConnectSessionId,
    /// The origin of the program's page, which gets the message.
    pub origin: Option<String>,
    /// Where a full page leads.
    pub return_url: Option<String>,
}

impl SetupResult {
    /// The message as it is posted.
    #[must_use]
    pub const fn message(&self) -> Message<'_> {
        Message { success: self.success, data: &self.data }
    }

    /// What went wrong, for the person.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.data.get("detail").filter(|_| !self.success).and_then(Value::as_str)
    }
}

/// What is posted to the opener: `{"success": bool, "data": …}`.
#[derive(Debug, Serialize)]
pub struct Message<'a> {
    success: bool,
    data: &'a Value,
}

/// Name of the BroadcastChannel on which the opener also listens. Random, so that no other page
/// receives the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel(String);

impl Channel {
    /// Takes a name of 16 to 64 letters, digits, `-` and `_`.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        ((16..=64).contains(&name.len()) && name.bytes().all(is_word)).then(|| Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
