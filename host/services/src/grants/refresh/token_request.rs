//! Asks a provider for new tokens: the plugin first, or else the token endpoint.

use serde_json::Value;

use super::outcome::RefreshOutcome;
use crate::provider_calls::plugin_grant;
use jackfield_config::clock::Clock;
use jackfield_loader::{self as plugins, OAuth2, Plugins, Provider, Refreshed, State};
use jackfield_oauth2::{Issuers, refresh, truncated};
use jackfield_store::{
    Store, StoreResult, Tx,
    grants::{self, Grant, Tokens},
    integrations::Integration,
    organization_integrations,
};

/// Asks providers for new tokens. Cheap to clone.
#[derive(Clone)]
pub(super) struct TokenRequester {
    pub(super) store: Store,
    pub(super) plugins: Plugins,
    pub(super) issuers: Issuers,
    pub(super) clock: Clock,
}

/// What came of asking.
pub(super) struct ProviderAnswer {
    pub(super) outcome: RefreshOutcome,
    /// Whether the host asked the token endpoint itself.
    pub(super) is_by_host: bool,
    /// Where the answer says that the account's API is.
    pub(super) api_url: Option<String>,
}

impl ProviderAnswer {
    pub(super) const fn by_plugin(outcome: RefreshOutcome) -> Self {
        Self { outcome, is_by_host: false, api_url: None }
    }

    const fn by_host(outcome: RefreshOutcome) -> Self {
        Self { outcome, is_by_host: true, api_url: None }
    }
}

impl TokenRequester {
    /// The grant, with what its provider declares about the use of its refresh token.
    ///
    /// Before the first refresh only the provider knows how often a refresh token works. Where its
    /// step depends on the state, it says so only when it is asked for the step.
    pub(super) async fn with_declared_use(&self, grant: &Grant, integration: &Integration, tokens: &Tokens) -> Grant {
        let mut grant = grant.clone();
        let provider = self.plugins.find_configured(&integration.provider);
        if let (None, Some(_), Some(provider)) = (grant.is_single_use, &tokens.refresh_token, provider) {
            let server = provider.server_of(&tokens.step, &tokens.state, &tokens.hosts).await;
            grant.is_single_use = server.ok().flatten().and_then(|oauth2| oauth2.single_use_refresh_tokens);
        }
        grant
    }

    /// Asks the plugin, or the token endpoint if the plugin has no way of its own.
    pub(super) async fn send(
        &self,
        grant: &Grant,
        integration: &Integration,
        tokens: &Tokens,
    ) -> StoreResult<ProviderAnswer> {
        let asked = grant.clone();
        let metadata = self.store.read(move |tx| Ok(metadata_of(tx, &asked))).await?;
        // The token endpoint does not need metadata: if they do not open, only the plugin lacks
        // them.
        let metadata = metadata.inspect_err(|error| tracing::warn!(grant.id = %grant.id, %error, "no metadata"));
        let metadata = metadata.unwrap_or_default();
        let id = &integration.provider;
        let Some(provider) = self.plugins.find_configured(id) else {
            let words = format!("the provider `{id}` is not loaded or not configured");
            return Ok(ProviderAnswer::by_plugin(RefreshOutcome::Outage(words, None)));
        };
        let asked = plugin_grant(&grant.name, &grant.subject, &grant.scopes.granted, tokens);
        Ok(match provider.refresh(asked, metadata, &tokens.hosts).await {
            Err(error) => ProviderAnswer::by_plugin(RefreshOutcome::of_plugin(&error)),
            Ok(Refreshed::Granted { grant }) => ProviderAnswer::by_plugin(RefreshOutcome::Granted(grant)),
            Ok(Refreshed::Refused { reason }) => ProviderAnswer::by_plugin(RefreshOutcome::Over(truncated(&reason))),
            Ok(Refreshed::Default | Refreshed::Unknown) => self.ask_token_endpoint(&provider, tokens).await,
        })
    }

    /// RFC 6749 section 6, at the server of the step that the grant came from.
    async fn ask_token_endpoint(&self, provider: &Provider, tokens: &Tokens) -> ProviderAnswer {
        let Some(refresh_token) = &tokens.refresh_token else {
            return ProviderAnswer::by_host(RefreshOutcome::NotRefreshable);
        };
        let described = match provider.server_of(&tokens.step, &tokens.state, &tokens.hosts).await {
            Ok(Some(described)) => described,
            Ok(None) => return ProviderAnswer::by_host(RefreshOutcome::NotRefreshable),
            Err(error) => return ProviderAnswer::by_host(RefreshOutcome::of_plugin(&error)),
        };
        let outbound = provider.outbound(&tokens.hosts);
        let now = self.clock.now();
        let server = match self.issuers.server(&described, &outbound, now).await {
            Ok(server) => server,
            // Nothing was sent to the token endpoint.
            Err(error) => {
                return ProviderAnswer::by_host(RefreshOutcome::Outage(truncated(&error.to_string()), None));
            }
        };
        match refresh(&server, refresh_token, now).await {
            Ok(answer) => {
                let answer = Value::Object(answer);
                let api_url = account_api_url(provider, &answer);
                ProviderAnswer { api_url, ..ProviderAnswer::by_host(outcome_of(server.oauth2(), &answer)) }
            }
            Err(error) => {
                let outcome = RefreshOutcome::of_error(&error, &server.oauth2().refresh_refused);
                ProviderAnswer::by_host(outcome)
            }
        }
    }
}

/// Where an answer says that the account's API is. An organization can move at the service. The
/// tokens are good even if no call may go there: then calls go on where they went.
fn account_api_url(provider: &Provider, answer: &Value) -> Option<String> {
    provider.account_api_url(answer).unwrap_or_else(|why| {
        tracing::error!(provider.id = provider.id(), error = why, "the API of an account has moved out of reach");
        None
    })
}

/// What the setup has stored that brought a grant. Of a grant of the account, the first there is of
/// the organizations that are lent it.
fn metadata_of(tx: &mut Tx<'_>, grant: &Grant) -> StoreResult<State> {
    for organization in grants::organizations_of(tx, grant)? {
        let found = organization_integrations::metadata(tx, organization, grant.integration)?;
        if let Some(metadata) = found.filter(|metadata| !metadata.is_empty()) {
            return Ok(metadata);
        }
    }
    Ok(State::new())
}

/// An answer without a token refuses, if it says so. Else it cannot be read.
fn outcome_of(server: &OAuth2, answer: &Value) -> RefreshOutcome {
    // Slack's is nested at installation and flat at a refresh.
    let nested = answer.pointer(&server.token_pointer).filter(|found| found.get("access_token").is_some());
    match plugins::Grant::from_token_response("", nested.unwrap_or(answer)) {
        Some(grant) => RefreshOutcome::Granted(Box::new(grant)),
        None => RefreshOutcome::of_tokenless(answer, &server.refresh_refused),
    }
}
