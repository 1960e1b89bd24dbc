//! The tokens that a stand-in has issued, and their state. It knows no HTTP and no service.
//!
//! The tokens of one consent are a family: a rotated token is in the family of the one before, and
//! a family can be revoked as a whole.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{clock::Clock, random::random_text};

/// All tokens of a stand-in.
#[derive(Debug)]
pub struct TokenRegistry {
    clock: Arc<Clock>,
    contents: Mutex<Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    families: Vec<Family>,
    tokens: HashMap<String, TokenEntry>,
}

#[derive(Debug)]
struct Family {
    owner: String,
    data: Value,
    is_revoked: bool,
}

#[derive(Clone, Debug)]
struct TokenEntry {
    family: usize,
    /// In the order in which they were issued.
    number: usize,
    is_refresh: bool,
    expires_at: Option<Duration>,
    is_used: bool,
    is_revoked: bool,
}

/// How tokens are issued.
#[derive(Clone, Debug, Default)]
pub struct TokenPolicy {
    /// The prefix of an access token.
    pub access_prefix: String,
    /// The prefix of a refresh token; without it, none is issued.
    pub refresh_prefix: Option<String>,
    /// Lifetime of an access token in seconds; without it, it never expires.
    pub expires_in: Option<u64>,
    /// Lifetime of a refresh token in seconds; without it, it never expires.
    pub refresh_expires_in: Option<u64>,
    /// What happens to a used refresh token.
    pub rotation: Rotation,
}

/// What happens to a used refresh token (RFC 9700 section 4.14.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rotation {
    /// It stays valid. At Slack it means that tokens never expire and there is no refresh token.
    #[default]
    Off,
    /// Each use returns a new one, and the old one is refused from then on.
    SingleUse,
    /// Likewise, and using an old one revokes the whole family.
    ReuseDetected,
}

/// The tokens of one response.
#[derive(Clone, Debug)]
pub struct IssuedTokens {
    /// The access token.
    pub access: String,
    /// The refresh token that belongs to it.
    pub refresh: Option<String>,
    /// Lifetime of the access token in seconds.
    pub expires_in: Option<u64>,
    /// The data of its family.
    pub data: Value,
}

/// Why a refresh token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshError {
    /// It was never issued as one.
    Unknown,
    /// It was used before.
    Used,
    /// It has expired.
    Expired,
    /// It, or its family, was revoked.
    Revoked,
}

/// The state of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenState {
    /// It is valid.
    Live,
    /// A refresh token that was exchanged for another.
    Used,
    /// It has expired.
    Expired,
    /// It was revoked.
    Revoked,
    /// It was never issued.
    Unknown,
}

/// One token, as a test or a user sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Token {
    /// The token itself.
    pub token: String,
    /// The owner of its family.
    pub owner: String,
    /// Whether it is a refresh token.
    pub is_refresh: bool,
    /// Its state.
    pub state: TokenState,
}

impl TokenRegistry {
    /// An empty registry.
    #[must_use]
    pub fn new(clock: Arc<Clock>) -> Self {
        Self { clock, contents: Mutex::default() }
    }

    /// Issues the first tokens of a new family. Each refresh returns the family's data again.
    pub fn issue(&self, owner: &str, data: Value, policy: &TokenPolicy) -> IssuedTokens {
        let mut contents = self.contents.lock();
        contents.families.push(Family { owner: owner.to_owned(), data, is_revoked: false });
        let family = contents.families.len() - 1;
        let refresh = contents.give_refresh(family, policy, self.clock.now());
        contents.give_access(family, policy, self.clock.now(), refresh)
    }

    /// Uses a refresh token (RFC 6749 section 6). The old access token is valid until it expires.
    ///
    /// # Errors
    /// When it is not valid, or no longer.
    pub fn refresh(&self, token: &str, policy: &TokenPolicy) -> Result<IssuedTokens, RefreshError> {
        let mut contents = self.contents.lock();
        let now = self.clock.now();
        let entry =
            contents.tokens.get(token).filter(|entry| entry.is_refresh).cloned().ok_or(RefreshError::Unknown)?;
        match contents.state(token, now) {
            TokenState::Live => {}
            TokenState::Used => {
                contents.families[entry.family].is_revoked |= policy.rotation == Rotation::ReuseDetected;
                return Err(RefreshError::Used);
            }
            TokenState::Expired => return Err(RefreshError::Expired),
            TokenState::Revoked | TokenState::Unknown => return Err(RefreshError::Revoked),
        }
        let next = if policy.rotation == Rotation::Off {
            Some(token.to_owned())
        } else {
            contents.tokens.entry(token.to_owned()).and_modify(|entry| entry.is_used = true);
            contents.give_refresh(entry.family, policy, now)
        };
        Ok(contents.give_access(entry.family, policy, now, next))
    }

    /// The state of a token.
    #[must_use]
    pub fn state(&self, token: &str) -> TokenState {
        self.contents.lock().state(token, self.clock.now())
    }

    /// Whether a token was issued as a refresh token.
    #[must_use]
    pub fn is_refresh(&self, token: &str) -> bool {
        self.contents.lock().tokens.get(token).is_some_and(|entry| entry.is_refresh)
    }

    /// Owner and data of a token's family.
    #[must_use]
    pub fn family(&self, token: &str) -> Option<(String, Value)> {
        let contents = self.contents.lock();
        let family = &contents.families[contents.tokens.get(token)?.family];
        Some((family.owner.clone(), family.data.clone()))
    }

    /// Revokes a token; a refresh token with its whole family (RFC 7009 section 2.1). Returns
    /// whether it was valid.
    pub fn revoke(&self, token: &str) -> bool {
        let mut contents = self.contents.lock();
        let lived = contents.state(token, self.clock.now()) == TokenState::Live;
        let Some(entry) = contents.tokens.get_mut(token) else { return false };
        entry.is_revoked = true;
        let (family, is_refresh) = (entry.family, entry.is_refresh);
        contents.families[family].is_revoked |= is_refresh;
        lived
    }

    /// Revokes a token with its whole family. Returns whether it was valid.
    pub fn revoke_family(&self, token: &str) -> bool {
        let mut contents = self.contents.lock();
        let lived = contents.state(token, self.clock.now()) == TokenState::Live;
        if let Some(family) = contents.tokens.get(token).map(|entry| entry.family) {
            contents.families[family].is_revoked = true;
        }
        lived
    }

    /// Revokes everything of an owner.
    pub fn revoke_all_of(&self, owner: &str) {
        let mut contents = self.contents.lock();
        contents.families.iter_mut().filter(|family| family.owner == owner).for_each(|family| family.is_revoked = true);
    }

    /// Every issued token, in order.
    #[must_use]
    pub fn all(&self) -> Vec<Token> {
        let contents = self.contents.lock();
        let mut all: Vec<_> = contents.tokens.iter().collect();
        all.sort_by_key(|(_, entry)| entry.number);
        let token = |(token, entry): (&String, &TokenEntry)| Token {
            token: token.clone(),
            owner: contents.families[entry.family].owner.clone(),
            is_refresh: entry.is_refresh,
            state: contents.state(token, self.clock.now()),
        };
        all.into_iter().map(token).collect()
    }

    /// The valid access tokens.
    #[must_use]
    pub fn live_access_tokens(&self) -> Vec<String> {
        let is_live = |token: &Token| !token.is_refresh && token.state == TokenState::Live;
        self.all().into_iter().filter(is_live).map(|token| token.token).collect()
    }

    /// The valid refresh tokens.
    #[must_use]
    pub fn live_refresh_tokens(&self) -> Vec<String> {
        let is_live = |token: &Token| token.is_refresh && token.state == TokenState::Live;
        self.all().into_iter().filter(is_live).map(|token| token.token).collect()
    }
}

impl Contents {
    fn state(&self, token: &str, now: Duration) -> TokenState {
        let Some(entry) = self.tokens.get(token) else { return TokenState::Unknown };
        if entry.is_revoked || self.families[entry.family].is_revoked {
            TokenState::Revoked
        } else if entry.is_used {
            TokenState::Used
        } else if entry.expires_at.is_some_and(|at| at <= now) {
            TokenState::Expired
        } else {
            TokenState::Live
        }
    }

    fn give_access(
        &mut self,
        family: usize,
        policy: &TokenPolicy,
        now: Duration,
        refresh: Option<String>,
    ) -> IssuedTokens {
        let access = self.give(&policy.access_prefix, family, false, expiry(now, policy.expires_in));
        let data = self.families[family].data.clone();
        IssuedTokens { access, refresh, expires_in: policy.expires_in, data }
    }

    fn give_refresh(&mut self, family: usize, policy: &TokenPolicy, now: Duration) -> Option<String> {
        let prefix = policy.refresh_prefix.as_deref()?;
        Some(self.give(prefix, family, true, expiry(now, policy.refresh_expires_in)))
    }

    /// A new token.
    fn give(&mut self, prefix: &str, family: usize, is_refresh: bool, expires_at: Option<Duration>) -> String {
        let token = random_text(prefix);
        let number = self.tokens.len();
        let entry = TokenEntry { family, number, is_refresh, expires_at, is_used: false, is_revoked: false };
        self.tokens.insert(token.clone(), entry);
        token
    }
}

fn expiry(now: Duration, seconds: Option<u64>) -> Option<Duration> {
    seconds.map(|seconds| now + Duration::from_secs(seconds))
}
