//! What a provider is asked so that tokens stop working, and what it says. Knows no leases and no back-off.
//!
//! A provider's own way comes first; else it is RFC 7009 at the server of each grant's step. A token that is refused keeps no other alive:
//! all are asked for, and what was revoked may be asked for again (section 2.2). Nothing is revoked that would end a connection that goes on: tokens that are in use are left out, and where the account is connected only what surely ends nothing else is revoked.

use std::time::Duration;

use super::{
    Grants,
    outcome::{cut, seconds},
    revoke::Effect,
};
use jackfield_loader::{self as plugins, Provider, RevokeRequest, Revoked, StepKind};
use jackfield_oauth2::{AuthorizationServer, RevocationError, RevocationResponse, TokenKind, revoke};
use jackfield_store::{
    StoreResult,
    grants::Tokens,
    leaving::{in_use, may_be_connected, other_than},
    revocations::{Given, GivenGrant, Reason, Revocation},
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
        let mut given = self.without_what_is_used(revocation, given).await?;
        if !given.is_whole && given.grants.is_empty() {
            return Ok((Said::Done("left alone: its tokens are in use".to_owned(), Effect::Nothing), given));
        }
        let said = self.ask_provider(&provider, &revocation.external_id, &mut given).await;
        Ok((with_unreadable(said, given.unreadable), given))
    }

    /// The account may have been connected again since it was given up.
    async fn without_what_is_used(&self, revocation: &Revocation, mut given: Given) -> StoreResult<Given> {
        let (provider, external_id) = (revocation.provider.clone(), revocation.external_id.clone());
        let (user, organization) = (given.user, revocation.organization);
        let found = self.store.read(move |tx| {
            let is_connected = may_be_connected(tx, &provider, &external_id, user, organization)?;
            let used = if is_connected { in_use(tx, &provider, &external_id)? } else { Vec::new() };
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

    async fn ask_provider(&self, provider: &Provider, external_id: &str, given: &mut Given) -> Said {
        let hosts: Vec<String> = given.grants.iter().flat_map(|grant| grant.tokens.hosts.clone()).collect();
        match provider.revoke(leaving(external_id, given), &hosts).await {
            Ok(Revoked::Done { message: answer }) => Said::Done(cut(&answer), Effect::Revoked),
            Ok(Revoked::RetryAfter { message: answer, seconds: asked }) => {
                Said::Later(cut(&answer), Some(seconds(asked)))
            }
            Ok(Revoked::Default | Revoked::Unknown) => {
                // Then what a set-up may have brought meanwhile lives on.
                given.is_whole &= !revokes_single_tokens(provider);
                self.revoke_by_host(provider, given).await
            }
            Err(error) => Said::Later(cut(&error.to_string()), None),
        }
    }

    /// RFC 7009, at the server of each grant's step.
    async fn revoke_by_host(&self, provider: &Provider, given: &Given) -> Said {
        if given.grants.is_empty() {
            return Said::Done("there was no token to revoke".to_owned(), Effect::Nothing);
        }
        let mut sum = Said::nothing();
        for grant in &given.grants {
            let said = match self.server_to_ask(provider, grant, given.is_connected).await {
                Ok((server, url)) => self.revoke_tokens(&server, &url, &grant.tokens).await,
                Err(said) => said,
            };
            sum = sum.and(said.of(&grant.name), "; ");
            if sum.wants_a_pause() {
                break;
            }
        }
        sum
    }

    /// The server of a grant's step with its revocation endpoint, or what there is to say where it is not asked.
    async fn server_to_ask(
        &self,
        provider: &Provider,
        grant: &GivenGrant,
        is_connected: bool,
    ) -> Result<(AuthorizationServer, String), Said> {
        let tokens = &grant.tokens;
        let failed = |error: &dyn std::fmt::Display| Said::Later(cut(&error.to_string()), None);
        let described = provider.server_of(&tokens.step, &tokens.state, &tokens.hosts).await.map_err(|e| failed(&e))?;
        let Some(described) = described else { return Err(without_server(provider, &tokens.step, is_connected)) };
        let outbound = provider.outbound(&tokens.hosts);
        let server = self.issuers.server(&described, &outbound, self.clock.now()).await.map_err(|e| failed(&e))?;
        let Some(url) = server.oauth2().revocation_url.clone() else { return Err(without_endpoint(is_connected)) };
        if is_connected && !server.oauth2().revokes_single_tokens {
            return Err(Said::Done(LEFT.to_owned(), Effect::Nothing));
        }
        Ok((server, url))
    }

    /// The refresh token first: its end is that of the access tokens it has brought as well (RFC 7009 section 2.1), where the service does so.
    async fn revoke_tokens(&self, server: &AuthorizationServer, url: &str, tokens: &Tokens) -> Said {
        let refresh = tokens.refresh_token.as_deref().map(|token| (TokenKind::Refresh, "refresh token", token));
        let access = (TokenKind::Access, "access token", tokens.access_token.as_str());
        let mut sum = Said::nothing();
        for (kind, name, token) in refresh.into_iter().chain([access]).filter(|(.., token)| !token.is_empty()) {
            // An access token whose refresh token is revoked ends by itself.
            let unsupported = if sum.is_revoked() { Effect::Nothing } else { Effect::Impossible };
            let said = match revoke(server, url, token, kind, self.clock.now()).await {
                Ok(RevocationResponse::Revoked) => Said::Done(format!("{name} revoked"), Effect::Revoked),
                Ok(RevocationResponse::Unsupported) => {
                    let words = format!("{name} cannot be revoked there (unsupported_token_type)");
                    Said::Done(words, unsupported)
                }
                Err(error) => Said::Later(cut(&format!("{name} not revoked: {error}")), asked(&error)),
            };
            sum = sum.and(said, ", ");
            if sum.wants_a_pause() {
                break;
            }
        }
        sum
    }
}

/// What the operator reads where there is nobody to ask.
const NO_ENDPOINT: &str = "the provider has no revocation";

/// Whether the end of a token is that of no other, at all of a provider's servers.
fn revokes_single_tokens(provider: &Provider) -> bool {
    provider.steps().iter().all(|step| match &step.kind {
        StepKind::OAuth2(oauth2) => oauth2.revokes_single_tokens,
        StepKind::OAuth2FromState => false,
        _ => true,
    })
}

fn without_endpoint(is_connected: bool) -> Said {
    if is_connected {
        // To end the connection at the provider, as people are told otherwise, would end the one that goes on.
        return Said::Done(format!("left alone: {NO_ENDPOINT}, and the account is connected"), Effect::Nothing);
    }
    Said::Done(NO_ENDPOINT.to_owned(), Effect::Impossible)
}

/// A step that is gone may come back with the plugin's other version.
fn without_server(provider: &Provider, step: &str, is_connected: bool) -> Said {
    let is_there = step.is_empty() || provider.steps().iter().any(|known| known.name == step);
    if is_there || is_connected {
        return without_endpoint(is_connected);
    }
    Said::Nobody(format!("the provider has no step `{step}` any more, which these tokens came from"))
}

impl Said {
    const fn nothing() -> Self {
        Self::Done(String::new(), Effect::Nothing)
    }

    fn words(&self) -> &str {
        match self {
            Self::Done(words, _) | Self::Later(words, _) | Self::Nobody(words) | Self::Hopeless(words) => words,
        }
    }

    /// Of the grant of this name.
    fn of(self, grant: &str) -> Self {
        let words = format!("{grant}: {}", self.words());
        match self {
            Self::Done(_, effect) => Self::Done(words, effect),
            Self::Later(_, asked) => Self::Later(words, asked),
            Self::Nobody(_) => Self::Nobody(words),
            Self::Hopeless(_) => Self::Hopeless(words),
        }
    }

    /// Of both: what can be tried again comes first, then what waits for the operator, and of two ends the worse.
    fn and(self, other: Self, separator: &str) -> Self {
        let said = [self.words(), other.words()].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>();
        let words = said.join(separator);
        match (self, other) {
            (Self::Later(_, one), Self::Later(_, two)) => Self::Later(words, one.max(two)),
            (Self::Later(_, asked), _) | (_, Self::Later(_, asked)) => Self::Later(words, asked),
            (Self::Nobody(_), _) | (_, Self::Nobody(_)) => Self::Nobody(words),
            (Self::Hopeless(_), _) | (_, Self::Hopeless(_)) => Self::Hopeless(words),
            (Self::Done(_, one), Self::Done(_, two)) => Self::Done(words, one.and(two)),
        }
    }

    const fn wants_a_pause(&self) -> bool {
        matches!(self, Self::Later(_, Some(_)))
    }

    const fn is_revoked(&self) -> bool {
        matches!(self, Self::Done(_, Effect::Revoked))
    }
}

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

fn leaving(external_id: &str, given: &Given) -> RevokeRequest {
    let grants = given.grants.iter().map(as_plugins_see_it).collect();
    let mut leaving = RevokeRequest::for_grants(external_id, given.metadata.clone(), grants);
    (leaving.is_uninstall, leaving.is_still_connected) = (given.is_whole, given.is_connected);
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
