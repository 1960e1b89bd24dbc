//! Asks one provider to revoke. Knows no leases, no retries and no database.
//!
//! The provider's own way comes first, else RFC 7009 at the server of each grant's step. A token
//! whose revocation fails keeps no other alive: all are asked for, and a revoked one may be asked
//! for again (section 2.2). Where the account is connected, only what surely ends nothing else is
//! revoked.

use std::{fmt::Display, time::Duration};

use super::{
    answer::{ProviderReply, TokenEffect},
    payload::revoke_request,
};
use jackfield_config::clock::Clock;
use jackfield_loader::{Provider, Revoked, StepKind};
use jackfield_oauth2::{
    AuthorizationServer, Issuers, RevocationError, RevocationResponse, TokenKind, revoke, truncated,
};
use jackfield_store::{
    grants::Tokens,
    revocations::{RevocationPayload, RevokedGrant},
};

/// What the operator reads where nobody can be asked.
const NO_ENDPOINT: &str = "the provider has no revocation";
/// What stays, since the account is connected.
const LEFT_ALONE: &str = "left alone: the account is connected, and revoking this could end that connection";

/// A request to one provider.
pub(super) struct ProviderRequest<'a> {
    pub(super) provider: &'a Provider,
    pub(super) issuers: &'a Issuers,
    pub(super) clock: &'a Clock,
    /// The account's id there, or nothing.
    pub(super) external_id: &'a str,
}

impl ProviderRequest<'_> {
    /// Asks the provider in its own way, or else its servers. What is not covered by the request is
    /// taken out of the payload.
    pub(super) async fn send(&self, payload: &mut RevocationPayload) -> ProviderReply {
        let hosts: Vec<String> = payload.grants.iter().flat_map(|grant| grant.tokens.hosts.clone()).collect();
        match self.provider.revoke(revoke_request(self.external_id, payload), &hosts).await {
            Ok(Revoked::Done { message: answer }) => ProviderReply::Done(truncated(&answer), TokenEffect::Revoked),
            Ok(Revoked::RetryAfter { message: answer, seconds }) => {
                ProviderReply::Later(truncated(&answer), Some(Duration::from_secs(seconds)))
            }
            Ok(Revoked::Default | Revoked::Unknown) => {
                // Tokens of a setup that ran meanwhile stay alive then.
                payload.is_whole &= !revokes_single_tokens(self.provider);
                self.send_to_servers(payload).await
            }
            Err(error) => failed(&error),
        }
    }

    /// RFC 7009, at the server of each grant's step.
    async fn send_to_servers(&self, payload: &RevocationPayload) -> ProviderReply {
        if payload.grants.is_empty() {
            return ProviderReply::Done("there was no token to revoke".to_owned(), TokenEffect::Nothing);
        }
        let mut sum = ProviderReply::nothing();
        for grant in &payload.grants {
            let reply = match self.server_of(grant, payload.is_connected).await {
                Ok((server, url)) => self.revoke_tokens(&server, &url, &grant.tokens).await,
                Err(reply) => reply,
            };
            sum = sum.and(reply.about(&grant.name), "; ");
            if sum.wants_a_pause() {
                break;
            }
        }
        sum
    }

    /// The server of a grant's step, with its revocation endpoint. The error is the reply where it
    /// is not asked.
    async fn server_of(
        &self,
        grant: &RevokedGrant,
        is_connected: bool,
    ) -> Result<(AuthorizationServer, String), ProviderReply> {
        let Tokens { step, state, hosts, .. } = &grant.tokens;
        let described = self.provider.server_of(step, state, hosts).await.map_err(|error| failed(&error))?;
        let Some(described) = described else { return Err(without_server(self.provider, step, is_connected)) };
        let outbound = self.provider.outbound(hosts);
        let server = self.issuers.server(&described, &outbound, self.clock.now()).await;
        let server = server.map_err(|error| failed(&error))?;
        let Some(url) = server.oauth2().revocation_url.clone() else { return Err(without_endpoint(is_connected)) };
        if is_connected && !server.oauth2().revokes_single_tokens {
            return Err(ProviderReply::Done(LEFT_ALONE.to_owned(), TokenEffect::Nothing));
        }
        Ok((server, url))
    }

    /// The refresh token first: its end is that of the access tokens it has brought (RFC 7009
    /// section 2.1), where the service does so.
    async fn revoke_tokens(&self, server: &AuthorizationServer, url: &str, tokens: &Tokens) -> ProviderReply {
        let refresh = tokens.refresh_token.as_deref().map(|token| (TokenKind::Refresh, token));
        let access = (TokenKind::Access, tokens.access_token.as_str());
        let mut sum = ProviderReply::nothing();
        for (kind, token) in refresh.into_iter().chain([access]).filter(|(_, token)| !token.is_empty()) {
            // An access token whose refresh token is revoked ends by itself.
            let if_unsupported = if sum.is_revoked() { TokenEffect::Nothing } else { TokenEffect::Impossible };
            let reply = self.revoke_token(server, url, kind, token, if_unsupported).await;
            sum = sum.and(reply, ", ");
            if sum.wants_a_pause() {
                break;
            }
        }
        sum
    }

    async fn revoke_token(
        &self,
        server: &AuthorizationServer,
        url: &str,
        kind: TokenKind,
        token: &str,
        if_unsupported: TokenEffect,
    ) -> ProviderReply {
        let name = match kind {
            TokenKind::Refresh => "refresh token",
            TokenKind::Access => "access token",
        };
        match revoke(server, url, token, kind, self.clock.now()).await {
            Ok(RevocationResponse::Revoked) => ProviderReply::Done(format!("{name} revoked"), TokenEffect::Revoked),
            Ok(RevocationResponse::Unsupported) => {
                let words = format!("{name} cannot be revoked there (unsupported_token_type)");
                ProviderReply::Done(words, if_unsupported)
            }
            Err(error) => {
                let words = truncated(&format!("{name} not revoked: {error}"));
                ProviderReply::Later(words, asked_pause(&error))
            }
        }
    }
}

fn failed(error: &dyn Display) -> ProviderReply {
    ProviderReply::Later(truncated(&error.to_string()), None)
}

fn asked_pause(error: &RevocationError) -> Option<Duration> {
    match error {
        RevocationError::Answer { retry_after, .. } => *retry_after,
        _ => None,
    }
}

/// Whether all servers of a provider revoke a token and no other with it.
fn revokes_single_tokens(provider: &Provider) -> bool {
    provider.steps().iter().all(|step| match &step.kind {
        StepKind::OAuth2(oauth2) => oauth2.revokes_single_tokens,
        StepKind::OAuth2FromState => false,
        _ => true,
    })
}

fn without_endpoint(is_connected: bool) -> ProviderReply {
    if is_connected {
        // People are told elsewhere to end the connection at the provider: here that would end the
        // one that stays.
        let words = format!("left alone: {NO_ENDPOINT}, and the account is connected");
        return ProviderReply::Done(words, TokenEffect::Nothing);
    }
    ProviderReply::Done(NO_ENDPOINT.to_owned(), TokenEffect::Impossible)
}

/// A step that is gone may come back with another version of the plugin.
fn without_server(provider: &Provider, step: &str, is_connected: bool) -> ProviderReply {
    let is_there = step.is_empty() || provider.steps().iter().any(|known| known.name == step);
    if is_there || is_connected {
        return without_endpoint(is_connected);
    }
    ProviderReply::NotAsked(format!("the provider has no step `{step}` any more, which these tokens came from"))
}
