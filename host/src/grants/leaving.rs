//! What a provider is asked so that tokens stop working, and what it says. Knows no leases and no back-off.
//!
//! A provider's own way comes first; else it is RFC 7009 at the server of each grant's step. Nothing is revoked that would end a connection
//! that goes on: tokens that are in use are left out, and where the account is connected only what surely ends nothing else is revoked.

use std::time::Duration;

use super::{
    Grants,
    outcome::{cut, seconds},
    revoke::Effect,
};
use crate::{
    oauth2::{RevocationError, Server, Taken, TokenKind, revoke},
    plugins::{self, Leaving, Provider, Revoked},
    store::{
        StoreResult,
        grants::Tokens,
        leaving::{in_use, may_be_connected, other_than},
        revocations::{Given, GivenGrant, Reason, Revocation},
    },
};

/// What a provider said. Words hold no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// There is nothing left to do.
    Done(String, Effect),
    /// Not now; how long it wants to be left alone.
    Later(String, Option<Duration>),
    /// Nobody can be asked before the operator has done something.
    Nobody(String),
    /// Nobody ever can.
    Hopeless(String),
}

/// What is left alone since the account is connected.
const LEFT: &str = "left alone: the account is connected, and revoking this could end that connection";

impl Grants {
    /// Asks the provider. What is given up is answered along, as far as it was.
    pub(super) async fn ask_to_revoke(&self, revocation: &Revocation) -> StoreResult<(Said, Given)> {
        let given = match revocation.given(self.store.sealer()) {
            Ok(Some(given)) => given,
            Ok(None) => return Ok((Said::Done("nothing is left".to_owned(), Effect::Nothing), Given::default())),
            Err(error) => {
                let said = Said::Hopeless(format!("what is to be revoked cannot be read: {error}"));
                return Ok((said, Given::default()));
            }
        };
        let Some(provider) = self.plugins.find_configured(&revocation.provider) else {
            let words = format!("the provider `{}` is not loaded or not configured", revocation.provider);
            return Ok((Said::Nobody(words), given));
        };
        let given = self.without_what_is_used(revocation, given).await?;
        if !given.is_whole && given.grants.is_empty() {
            return Ok((Said::Done("left alone: its tokens are in use".to_owned(), Effect::Nothing), given));
        }
        let said = self.ask_provider(&provider, &revocation.external_id, &given).await;
        Ok((with_unreadable(said, given.unreadable), given))
    }

    /// The account may have been connected again since it was given up.
    async fn without_what_is_used(&self, revocation: &Revocation, mut given: Given) -> StoreResult<Given> {
        let (provider, external_id) = (revocation.provider.clone(), revocation.external_id.clone());
        let (sealer, user, organization) = (self.store.sealer().clone(), given.user, revocation.organization);
        let found = self.store.read(move |c| {
            let is_connected = may_be_connected(c, &provider, &external_id, user, organization)?;
            let used = if is_connected { in_use(c, &sealer, &provider, &external_id)? } else { Vec::new() };
            Ok((is_connected, used))
        });
        let (is_connected, used) = found.await?;
        if is_connected {
            given.is_whole = false;
            // What an operator wants dead must die, also where its end takes a connection with it that was made meanwhile.
            given.is_connected = revocation.reason != Reason::Operator;
            given.grants = given.grants.into_iter().filter_map(|grant| unused(grant, &used)).collect();
        }
        Ok(given)
    }

    async fn ask_provider(&self, provider: &Provider, external_id: &str, given: &Given) -> Said {
        let hosts: Vec<String> = given.grants.iter().flat_map(|grant| grant.tokens.hosts.clone()).collect();
        match provider.revoke(leaving(external_id, given), &hosts).await {
            Ok(Revoked::Done { answer }) => Said::Done(cut(&answer), Effect::Revoked),
            Ok(Revoked::Later { answer, seconds: asked }) => Said::Later(cut(&answer), Some(seconds(asked))),
            Ok(Revoked::ByHost | Revoked::Unknown) => self.revoke_by_host(provider, given).await,
            Err(error) => Said::Later(cut(&error.to_string()), None),
        }
    }

    /// RFC 7009, at the server of each grant's step.
    async fn revoke_by_host(&self, provider: &Provider, given: &Given) -> Said {
        let (mut words, mut whole) = (Vec::new(), Effect::Nothing);
        for grant in &given.grants {
            match self.revoke_grant(provider, grant, given.is_connected).await {
                Ok((said, effect)) => {
                    words.push(format!("{}: {said}", grant.name));
                    whole = whole.and(effect);
                }
                Err((error, asked)) => return Said::Later(cut(&format!("{}: {error}", grant.name)), asked),
            }
        }
        if words.is_empty() {
            words.push("there was no token to revoke".to_owned());
        }
        Said::Done(words.join("; "), whole)
    }

    async fn revoke_grant(
        &self,
        provider: &Provider,
        grant: &GivenGrant,
        is_connected: bool,
    ) -> Result<(String, Effect), (String, Option<Duration>)> {
        let tokens = &grant.tokens;
        let failed = |error: &dyn std::fmt::Display| (error.to_string(), None);
        let described = provider.server_of(&tokens.step, &tokens.state, &tokens.hosts).await.map_err(|e| failed(&e))?;
        let Some(described) = described else { return Ok((NO_ENDPOINT.to_owned(), Effect::Impossible)) };
        let outbound = provider.outbound(&tokens.hosts);
        let server = self.issuers.server(&described, &outbound, self.clock.now()).await.map_err(|e| failed(&e))?;
        let Some(url) = server.oauth2().revocation_url.clone() else {
            return Ok((NO_ENDPOINT.to_owned(), Effect::Impossible));
        };
        if is_connected && !server.oauth2().revokes_single_tokens {
            return Ok((LEFT.to_owned(), Effect::Nothing));
        }
        match self.revoke_tokens(&server, &url, tokens).await {
            Ok(words) => Ok((words, Effect::Revoked)),
            Err(error) => Err((error.to_string(), asked(&error))),
        }
    }

    /// The refresh token first: its end is that of the access tokens it has brought as well (RFC 7009 section 2.1), where the service does so.
    async fn revoke_tokens(&self, server: &Server, url: &str, tokens: &Tokens) -> Result<String, RevocationError> {
        let refresh = tokens.refresh_token.as_deref().map(|token| (TokenKind::Refresh, "refresh token", token));
        let access = (TokenKind::Access, "access token", tokens.access_token.as_str());
        let mut words = Vec::new();
        for (kind, name, token) in refresh.into_iter().chain([access]).filter(|(.., token)| !token.is_empty()) {
            words.push(match revoke(server, url, token, kind, self.clock.now()).await? {
                Taken::Revoked => format!("{name} revoked"),
                Taken::Unsupported => format!("{name} cannot be revoked there (unsupported_token_type)"),
            });
        }
        Ok(words.join(", "))
    }
}

/// What the operator reads where there is nobody to ask.
const NO_ENDPOINT: &str = "the provider has no revocation";

impl Effect {
    /// Of both: the worse.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Impossible, _) | (_, Self::Impossible) => Self::Impossible,
            (Self::Revoked, _) | (_, Self::Revoked) => Self::Revoked,
            _ => Self::Nothing,
        }
    }
}

fn asked(error: &RevocationError) -> Option<Duration> {
    match error {
        RevocationError::Answer { retry_after, .. } => *retry_after,
        _ => None,
    }
}

fn unused(mut grant: GivenGrant, used: &[Tokens]) -> Option<GivenGrant> {
    grant.tokens = other_than(used, grant.tokens)?;
    Some(grant)
}

fn with_unreadable(said: Said, unreadable: usize) -> Said {
    match said {
        Said::Done(words, effect) if unreadable > 0 => {
            let words = format!("{words}; {unreadable} sealed values could not be read, what they held is not revoked");
            Said::Done(words, effect.and(Effect::Impossible))
        }
        other => other,
    }
}

fn leaving(external_id: &str, given: &Given) -> Leaving {
    let grants = given.grants.iter().map(as_plugins_see_it).collect();
    let mut leaving = Leaving::of_grants(external_id, given.metadata.clone(), grants);
    (leaving.is_whole, leaving.is_connected) = (given.is_whole, given.is_connected);
    leaving
}

fn as_plugins_see_it(given: &GivenGrant) -> plugins::Grant {
    let GivenGrant { name, subject, scopes, tokens } = given;
    let mut seen = plugins::Grant::new(name, tokens.access_token.as_str()).subject(subject);
    seen.step.clone_from(&tokens.step);
    seen.token_type.clone_from(&tokens.token_type);
    seen.refresh_token = tokens.refresh_token.as_deref().map(Into::into);
    seen.scopes(scopes.clone())
}
