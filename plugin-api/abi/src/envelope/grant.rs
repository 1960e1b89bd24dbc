//! Tokens as they cross the border: what a set-up brings, what a refresh brings, what is given up.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Secret, State};

/// One set of tokens that is refreshed together: a bot's, or those of one person.
///
/// `Debug` shows no token.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Grant {
    /// Which of an integration's it is, like `bot` or `user`; the first of an integration is the one that is used when none is named.
    pub name: String,
    /// External id of the identity it acts for; empty where it acts for the integration.
    pub subject: String,
    /// Name of the OAuth 2.0 step it came from; empty: the pipeline's first.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub step: String,
    /// What requests carry (RFC 6749 section 1.4).
    pub access_token: Secret,
    /// `Bearer` where it is empty (RFC 6749 section 7.1); any case.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token_type: String,
    /// What gets the next access token (RFC 6749 section 1.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// Seconds that the access token lives from the answer on; `None`: it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    /// Seconds that the refresh token lives from the answer on; `None`: it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token_expires_in: Option<u64>,
    /// Scopes that were granted; empty: those that were asked for (RFC 6749 section 5.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// What a provider says when a grant is to be refreshed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Refreshed {
    /// The host shall do it as RFC 6749 section 6 says, at the token endpoint of the grant's step.
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
        /// Why, for the operator's log; no secret.
        #[serde(default)]
        reason: String,
    },
    /// An answer of a later version: the host does it.
    #[serde(other)]
    Unknown,
}

/// What is given up: an integration with its grants, or some grants of one that stays.
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
    /// Whether the integration itself is given up, and not only these grants.
    pub is_whole: bool,
    /// Whether the account stays connected by other tokens, as after a set-up that has brought new ones: nothing may be revoked whose end is
    /// the end of those as well.
    pub is_connected: bool,
}

/// What a provider says when grants are to be revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Revoked {
    /// The host shall do it as RFC 7009 says, at the revocation endpoint of each grant's step; where there is none, there is nothing to do.
    #[default]
    #[serde(rename = "by-host")]
    Default,
    /// It is done.
    Done {
        /// What the service answered, for the operator; no secret.
        #[serde(default)]
        answer: String,
    },
    /// Not now: the service wants to be left alone for a while. The host asks again.
    Later {
        /// What the service answered, for the operator; no secret.
        #[serde(default)]
        answer: String,
        /// For how many seconds.
        #[serde(default)]
        seconds: u64,
    },
    /// An answer of a later version: the host does it.
    #[serde(other)]
    Unknown,
}

impl Grant {
    /// A grant that acts for the integration.
    pub fn new(name: impl Into<String>, access_token: impl Into<Secret>) -> Self {
        Self { name: name.into(), access_token: access_token.into(), ..Self::default() }
    }

    /// Reads a token answer, or the part of one that holds the tokens: the members of RFC 6749 section 5.1, and `refresh_token_expires_in`.
    /// Lifetimes may be text, scopes may be separated by spaces or commas, or be a list. `None` where there is no access token.
    #[must_use]
    pub fn from_answer(name: impl Into<String>, answer: &Value) -> Option<Self> {
        let text = |key: &str| answer.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let seconds = |key: &str| match answer.get(key)? {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64().or_else(|| other.as_f64().and_then(whole_seconds)),
        };
        Some(Self {
            token_type: text("token_type").unwrap_or_default().to_owned(),
            refresh_token: text("refresh_token").map(Secret::from),
            // Zero means at once, or never: it says nothing.
            expires_in: seconds("expires_in").filter(|seconds| *seconds > 0),
            refresh_token_expires_in: seconds("refresh_token_expires_in").filter(|seconds| *seconds > 0),
            scopes: scopes(answer.get("scope").or_else(|| answer.get("scopes"))),
            ..Self::new(name, text("access_token")?)
        })
    }

    /// Acts for an identity, by its external id.
    #[must_use]
    pub fn subject(mut self, external_id: impl Into<String>) -> Self {
        self.subject = external_id.into();
        self
    }

    /// Came from this OAuth 2.0 step and not from the pipeline's first.
    #[must_use]
    pub fn step(mut self, name: impl Into<String>) -> Self {
        self.step = name.into();
        self
    }

    /// Sets how long the access token lives, in seconds from now.
    #[must_use]
    pub const fn expires_in(mut self, seconds: u64) -> Self {
        self.expires_in = Some(seconds);
        self
    }

    /// Sets what gets the next access token.
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

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be within what JSON counts exactly"
)]
fn whole_seconds(number: f64) -> Option<u64> {
    (0.0..9e15).contains(&number).then_some(number as u64)
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
    pub fn done(answer: impl Into<String>) -> Self {
        Self::Done { answer: answer.into() }
    }

    /// It is to be asked for again after so many seconds, as a header `retry-after` says.
    pub fn later(answer: impl Into<String>, seconds: u64) -> Self {
        Self::Later { answer: answer.into(), seconds }
    }
}

impl RevokeRequest {
    /// An integration with its grants.
    pub fn whole(external_id: impl Into<String>, metadata: State, grants: Vec<Grant>) -> Self {
        Self { external_id: external_id.into(), metadata, grants, is_whole: true, is_connected: false }
    }

    /// Some grants of an integration that stays.
    pub fn of_grants(external_id: impl Into<String>, metadata: State, grants: Vec<Grant>) -> Self {
        Self { is_whole: false, ..Self::whole(external_id, metadata, grants) }
    }

    /// The account stays connected by other tokens.
    #[must_use]
    pub const fn connected(mut self) -> Self {
        self.is_connected = true;
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
