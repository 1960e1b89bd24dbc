//! Tokens as they cross the border: what a setup brings, what a refresh brings, what to revoke.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Secret, State,
    expiry::{self, Expiry, expiry},
};

/// One set of tokens that is refreshed together: those of a bot, or those of one person.
///
/// `Debug` shows no token.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Grant {
    /// Distinguishes the grants of an integration: `bot`, `user`. The host uses the first grant if
    /// nobody names one.
    pub name: String,
    /// External id of the identity it acts for. Empty if it acts for the integration.
    pub subject: String,
    /// Whether it is the account's own, such as a bot's, and no person's. Without this, it is the
    /// own of the organization whose person brought it, and no other organization is lent it. The
    /// account's own is lent to each organization whose setup has brought it.
    #[serde(rename = "account", skip_serializing_if = "is_false")]
    pub is_of_account: bool,
    /// Name of the OAuth 2.0 step it came from. Empty means the first of the pipeline.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub step: String,
    /// The access token (RFC 6749 section 1.4).
    pub access_token: Secret,
    /// Token type (RFC 6749 section 7.1), in any case. Empty means `Bearer`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token_type: String,
    /// The refresh token (RFC 6749 section 1.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// Lifetime of the access token in seconds, counted from the token response. `None` if the
    /// response does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    /// When the access token expires, in seconds since 1970, if the response gives a time and no
    /// lifetime. Counts only where `expires_in` is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Lifetime of the refresh token in seconds, counted from the token response. `None` if the
    /// response does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token_expires_in: Option<u64>,
    /// When the refresh token expires, in seconds since 1970, if the response gives a time and no
    /// lifetime. Counts only where `refresh_token_expires_in` is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token_expires_at: Option<i64>,
    /// Granted scopes. Empty means the requested ones (RFC 6749 section 5.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// What a provider answers to a refresh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Refreshed {
    /// The host refreshes by RFC 6749 section 6, at the token endpoint of the grant's step.
    #[default]
    #[serde(rename = "by-host")]
    Default,
    /// The provider has new tokens. What it leaves out stays as it was.
    Granted {
        /// The new tokens.
        #[serde(default)]
        grant: Box<Grant>,
    },
    /// The grant is over: its person must authenticate again.
    Refused {
        /// Why, for the operator's log. Without secrets.
        #[serde(default)]
        reason: String,
    },
    /// An answer of a later version. The host does as for [`Refreshed::Default`].
    #[serde(other)]
    Unknown,
}

/// What to revoke: an integration with its grants, or some grants of one that stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RevokeRequest {
    /// External id of the integration.
    pub external_id: String,
    /// Its metadata.
    pub metadata: State,
    /// The grants to revoke.
    pub grants: Vec<Grant>,
    /// Whether the integration itself is uninstalled, and not only these grants revoked.
    #[serde(rename = "is_whole")]
    pub is_uninstall: bool,
    /// Whether other tokens still connect the account, as after a setup that has brought new ones.
    /// Then revoke nothing that would end those tokens too.
    #[serde(rename = "is_connected")]
    pub is_still_connected: bool,
}

/// What a provider answers to a [`RevokeRequest`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Revoked {
    /// The host revokes by RFC 7009, at the revocation endpoint of each grant's step. Without an
    /// endpoint there is nothing to do.
    #[default]
    #[serde(rename = "by-host")]
    Default,
    /// It is done.
    Done {
        /// What the service answered, for the operator. Without secrets.
        #[serde(rename = "answer", default)]
        message: String,
    },
    /// The service is busy. The host asks again later.
    #[serde(rename = "later")]
    RetryAfter {
        /// What the service answered, for the operator. Without secrets.
        #[serde(rename = "answer", default)]
        message: String,
        /// Seconds to wait.
        #[serde(default)]
        seconds: u64,
    },
    /// An answer of a later version. The host does as for [`Revoked::Default`].
    #[serde(other)]
    Unknown,
}

impl Grant {
    /// A grant that acts for the integration.
    pub fn new(name: impl Into<String>, access_token: impl Into<Secret>) -> Self {
        Self { name: name.into(), access_token: access_token.into(), ..Self::default() }
    }

    /// Reads a token response, or the part of one that holds the tokens: the members of RFC 6749
    /// section 5.1, and when the tokens expire. Services differ: they give a lifetime or a time,
    /// as a number or as text, under many names (`expires_in`, `expires_at`, `expires_on`,
    /// `.expires`, `refresh_token_expires_in`, `refresh_expires_in`), and scopes as a list or
    /// separated by spaces or commas. `None` without an access token.
    #[must_use]
    pub fn from_token_response(name: impl Into<String>, response: &Value) -> Option<Self> {
        let text = |key: &str| response.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let access = expiry(response, &expiry::ACCESS);
        let refresh = expiry(response, &expiry::REFRESH);
        Some(Self {
            token_type: text("token_type").unwrap_or_default().to_owned(),
            refresh_token: text("refresh_token").map(Secret::from),
            expires_in: access.and_then(Expiry::lifetime),
            expires_at: access.and_then(Expiry::time),
            refresh_token_expires_in: refresh.and_then(Expiry::lifetime),
            refresh_token_expires_at: refresh.and_then(Expiry::time),
            scopes: scopes(response.get("scope").or_else(|| response.get("scopes"))),
            ..Self::new(name, text("access_token")?)
        })
    }

    /// Sets the identity it acts for, by its external id.
    #[must_use]
    pub fn subject(mut self, external_id: impl Into<String>) -> Self {
        self.subject = external_id.into();
        self
    }

    /// Says that it is the account's own, such as a bot's, no matter who has installed it. Say so
    /// only if the service gives it to nobody who may not install it: each organization whose setup
    /// brings it is given the one that came last.
    #[must_use]
    pub const fn of_the_account(mut self) -> Self {
        self.is_of_account = true;
        self
    }

    /// Sets the OAuth 2.0 step it came from, if that is not the first of the pipeline.
    #[must_use]
    pub fn step(mut self, name: impl Into<String>) -> Self {
        self.step = name.into();
        self
    }

    /// Sets the lifetime of the access token, in seconds from now.
    #[must_use]
    pub const fn expires_in(mut self, seconds: u64) -> Self {
        self.expires_in = Some(seconds);
        self
    }

    /// Sets when the access token expires, in seconds since 1970, where the service gives a time
    /// and no lifetime.
    #[must_use]
    pub const fn expires_at(mut self, unix_time: i64) -> Self {
        self.expires_at = Some(unix_time);
        self
    }

    /// Sets the lifetime of the refresh token, in seconds from now.
    #[must_use]
    pub const fn refresh_token_expires_in(mut self, seconds: u64) -> Self {
        self.refresh_token_expires_in = Some(seconds);
        self
    }

    /// Sets the refresh token.
    #[must_use]
    pub fn refresh_token(mut self, token: impl Into<Secret>) -> Self {
        self.refresh_token = Some(token.into());
        self
    }

    /// Sets the granted scopes.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

fn scopes(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => {
            text.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
        }
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

impl Refreshed {
    /// The provider has new tokens.
    #[must_use]
    pub fn granted(grant: Grant) -> Self {
        Self::Granted { grant: Box::new(grant) }
    }

    /// The grant is over.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }
}

impl Revoked {
    /// It is done, and this is what the service answered.
    pub fn done(message: impl Into<String>) -> Self {
        Self::Done { message: message.into() }
    }

    /// The host shall ask again after so many seconds, as in the header `Retry-After` (RFC 9110
    /// section 10.2.3).
    pub fn retry_after(message: impl Into<String>, seconds: u64) -> Self {
        Self::RetryAfter { message: message.into(), seconds }
    }
}

impl RevokeRequest {
    /// Uninstalls an integration with its grants.
    pub fn uninstall(external_id: impl Into<String>, metadata: State, grants: Vec<Grant>) -> Self {
        Self { external_id: external_id.into(), metadata, grants, is_uninstall: true, is_still_connected: false }
    }

    /// Revokes some grants of an integration that stays.
    pub fn for_grants(external_id: impl Into<String>, metadata: State, grants: Vec<Grant>) -> Self {
        Self { is_uninstall: false, ..Self::uninstall(external_id, metadata, grants) }
    }

    /// Says that other tokens still connect the account.
    #[must_use]
    pub const fn still_connected(mut self) -> Self {
        self.is_still_connected = true;
        self
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("name", &self.name)
            .field("subject", &self.subject)
            .field("expires_in", &self.expires_in)
            .field("is_refreshable", &self.refresh_token.is_some())
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}
