//! What is to be revoked, as it is sealed until that is done.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    grants::{Grant, NewGrant, Tokens},
    ids::UserId,
};

/// What is to be revoked. It has no `Debug`, which would show tokens.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RevocationPayload {
    /// The tokens.
    pub grants: Vec<RevokedGrant>,
    /// The integration's metadata, or nothing.
    pub metadata: Map<String, Value>,
    /// Whether the integration itself ends, and not only these tokens.
    pub is_whole: bool,
    /// Whether the account stays connected by other tokens.
    pub is_connected: bool,
    /// The user whose setup nothing came of.
    pub user: Option<UserId>,
    /// How many sealed values could not be opened: nobody can revoke what they hold.
    pub unreadable: usize,
}

impl RevocationPayload {
    /// Adds the grants whose tokens are not in it yet.
    pub fn add(&mut self, grants: Vec<RevokedGrant>) {
        for grant in grants {
            let is_known = self.grants.iter().any(|known| known.tokens.access_token == grant.tokens.access_token);
            if !is_known {
                self.grants.push(grant);
            }
        }
    }
}

/// A grant that is to be revoked.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RevokedGrant {
    /// Its name.
    pub name: String,
    /// External id of the identity it acts for, or nothing.
    pub subject: String,
    /// Scopes that were granted.
    pub scopes: Vec<String>,
    /// Its tokens, and the step they came from.
    pub tokens: Tokens,
}

impl RevokedGrant {
    /// A stored grant with its opened tokens, or with what is to be revoked of them.
    pub(crate) fn of_stored(grant: Grant, tokens: Tokens) -> Self {
        let Grant { name, subject, scopes, .. } = grant;
        Self { name, subject, scopes: scopes.granted, tokens }
    }
}

/// A grant that is not stored.
impl From<NewGrant> for RevokedGrant {
    fn from(NewGrant { name, subject, new, .. }: NewGrant) -> Self {
        Self { name, subject, scopes: new.scopes.granted, tokens: new.tokens }
    }
}
