//! One refresh: the lease, the question to the provider, and the answer in the database before anybody is lent it.

use std::time::Duration;

use time::OffsetDateTime;

use super::{
    Grants,
    freshness::is_alive,
    outcome::{Outcome, cut},
    taken::renewed,
};
use jackfield_loader::{self as plugins, OAuth2, Provider, Refreshed, State};
use jackfield_oauth2::{AuthorizationServer, Parameters, TokenError, request_token};
use jackfield_store::{
    StoreError, StoreResult,
    grants::{Grant, LOST, Tokens},
    integrations::{self, Integration},
    refreshes::{self, Claim, Lease},
    renewal::{self, Renewal, Renewed},
};

/// What came of an attempt, for who waits.
#[derive(Clone, Debug)]
pub(super) enum Attempt {
    /// The grant has other tokens by now, or is over: to be looked at again.
    Done,
    /// Another host has the lease.
    Elsewhere,
    /// The provider gave none.
    Failed {
        /// Why.
        reason: String,
        /// When it is asked again.
        retry_after: Duration,
    },
    /// The database failed.
    Broken(String),
}

/// Life of a lease. Its holder extends it while it works, so that a host that was killed is not waited for longer.
const LEASE: Duration = Duration::from_secs(15);
/// How often it is extended.
const EXTEND: Duration = Duration::from_secs(5);
/// Longest wait for a database that does not take the new tokens: they exist nowhere else.
const WRITE_PATIENCE: Duration = Duration::from_secs(60);

impl Grants {
    /// Refreshes a grant, if nobody else does.
    pub(super) async fn refresh(self, grant: Grant) -> Attempt {
        match self.try_refresh(&grant).await {
            Ok(attempt) => attempt,
            Err(error) => {
                tracing::error!(grant.id = %grant.id, integration.id = %grant.integration, %error, "a grant could not be refreshed");
                Attempt::Broken(error.to_string())
            }
        }
    }

    async fn try_refresh(&self, grant: &Grant) -> StoreResult<Attempt> {
        let id = grant.integration;
        // One that is gone has taken its grants with it.
        let Some(integration) = self.store.read(move |tx| integrations::by_id(tx, id)).await? else {
            return Ok(Attempt::Done);
        };
        let grace = self.grace(grant, &integration);
        if let Some(known) = self.known(grant, grace).await? {
            return Ok(known);
        }
        let (asked, now) = (grant.clone(), self.clock.now());
        match self.store.write(move |tx| refreshes::claim(tx, &asked, LEASE, grace)).await? {
            Claim::Changed => Ok(Attempt::Done),
            Claim::Busy(_) => Ok(Attempt::Elsewhere),
            Claim::Waiting(at) => Ok(waits(grant, now, at)),
            Claim::Mine(lease, sent_before) => {
                tokio::select! {
                    attempt = self.run(grant, &integration, lease, sent_before) => attempt,
                    error = self.keep_lease(grant, lease) => Err(error),
                }
            }
        }
    }

    /// For how long after the end of a lease its holder may still write what it was answered: it may be slow, or its clock behind. Where a refresh
    /// token works more than once, nobody has to wait for that.
    fn grace(&self, grant: &Grant, integration: &Integration) -> time::Duration {
        if grant.is_single_use == Some(false) {
            return time::Duration::ZERO;
        }
        let provider = self.plugins.find_configured(&integration.provider);
        let answered = provider.map_or(Duration::ZERO, |provider| provider.outbound(&[]).timeout());
        // The holder lived when it last extended the lease.
        (answered + WRITE_PATIENCE).saturating_sub(LEASE).try_into().unwrap_or_default()
    }

    /// What can be told without a write: most who come while a provider is down, or another host is at it, are told so here.
    async fn known(&self, grant: &Grant, grace: time::Duration) -> StoreResult<Option<Attempt>> {
        let (id, now) = (grant.id, self.clock.now());
        let Some(refresh) = self.store.read(move |tx| refreshes::get(tx, id)).await? else { return Ok(None) };
        if refresh.busy_until(grace).is_some_and(|until| until > now) {
            return Ok(Some(Attempt::Elsewhere));
        }
        Ok(refresh.retry_at.filter(|at| *at > now).map(|at| waits(grant, now, at)))
    }

    /// Extends the lease; ends only when it cannot.
    async fn keep_lease(&self, grant: &Grant, lease: Lease) -> StoreError {
        loop {
            tokio::time::sleep(EXTEND).await;
            let (id, until) = (grant.id, self.clock.now() + LEASE);
            if let Err(error) = self.store.write(move |tx| refreshes::extend(tx, id, lease, until)).await {
                // The answer may be under way: it is waited for, and written as long as the lease lasts.
                tracing::warn!(grant.id = %id, %error, "a lease could not be extended");
            }
        }
    }

    async fn run(
        &self,
        grant: &Grant,
        integration: &Integration,
        lease: Lease,
        sent_before: Option<OffsetDateTime>,
    ) -> StoreResult<Attempt> {
        let tokens = match grant.tokens(self.store.sealer()) {
            Ok(tokens) => tokens,
            Err(error) => {
                self.failed(grant, lease, Outcome::Outage("the stored token cannot be read".to_owned(), None)).await?;
                return Err(error);
            }
        };
        let grant = &self.with_use_declared(grant, integration, &tokens).await;
        if let Some(outcome) = self.after_a_lost_answer(grant, &tokens, sent_before) {
            return self.failed(grant, lease, outcome).await;
        }
        // What fails on the way there was not sent.
        let failed = |error: StoreError| (Outcome::Outage(cut(&error.to_string()), None), false);
        let (outcome, by_host) = self.ask(grant, integration, &tokens).await.unwrap_or_else(failed);
        match outcome {
            Outcome::Granted(new) => self.succeeded(grant, integration, tokens, *new, by_host).await,
            other => self.failed(grant, lease, other).await,
        }
    }

    /// Before the first refresh nobody knows how often a refresh token works but the provider, and where its step depends on the state it says
    /// so only when it is asked for the step.
    async fn with_use_declared(&self, grant: &Grant, integration: &Integration, tokens: &Tokens) -> Grant {
        let mut grant = grant.clone();
        let provider = self.plugins.find_configured(&integration.provider);
        if let (None, Some(_), Some(provider)) = (grant.is_single_use, &tokens.refresh_token, provider) {
            let server = provider.server_of(&tokens.step, &tokens.state, &tokens.hosts).await;
            grant.is_single_use = server.ok().flatten().and_then(|oauth2| oauth2.single_use_refresh_tokens);
        }
        grant
    }

    /// An earlier refresh token was sent and its answer lost. Where it works more than once, it is sent again. Where it may work once only,
    /// sending it again could make the provider revoke all that came of it (RFC 9700 section 4.14.2), so the old token is used while it
    /// lives; after that one that is known to work once is given up, and one of which nobody knows is tried, openly.
    fn after_a_lost_answer(
        &self,
        grant: &Grant,
        tokens: &Tokens,
        sent_before: Option<OffsetDateTime>,
    ) -> Option<Outcome> {
        let sent_at = sent_before?;
        if tokens.refresh_token.is_none() || grant.is_single_use == Some(false) {
            return None;
        }
        let is_alive = is_alive(grant, self.clock.now());
        tracing::warn!(
            grant.id = %grant.id,
            grant.name = grant.name,
            integration.id = %grant.integration,
            sent_at = %sent_at,
            "a refresh was sent and its answer lost"
        );
        match (is_alive, grant.is_single_use) {
            (true, _) => Some(Outcome::Lost(LOST.to_owned())),
            (false, Some(true)) => Some(Outcome::Over(LOST.to_owned())),
            (false, _) => None,
        }
    }

    /// Asks the provider, or its token endpoint. Answers also whether the host did it.
    async fn ask(&self, grant: &Grant, integration: &Integration, tokens: &Tokens) -> StoreResult<(Outcome, bool)> {
        let id = integration.id;
        let metadata = self.store.read(move |tx| Ok(integrations::metadata(tx, id))).await?;
        // Metadata that do not open cost what needs them, and the token endpoint does not.
        let metadata = metadata.inspect_err(|error| tracing::warn!(grant.id = %grant.id, %error, "no metadata"));
        let metadata = metadata.ok().flatten().unwrap_or_default();
        let id = &integration.provider;
        let Some(provider) = self.plugins.find_configured(id) else {
            return Ok((Outcome::Outage(format!("the provider `{id}` is not loaded or not configured"), None), false));
        };
        match provider.refresh(as_plugins_see_it(grant, tokens), metadata, &tokens.hosts).await {
            Err(error) => Ok((Outcome::of_plugin(&error), false)),
            Ok(Refreshed::Granted { grant }) => Ok((Outcome::Granted(grant), false)),
            Ok(Refreshed::Refused { reason }) => Ok((Outcome::Over(cut(&reason)), false)),
            Ok(Refreshed::Default | Refreshed::Unknown) => Ok((self.ask_token_endpoint(&provider, tokens).await, true)),
        }
    }

    /// RFC 6749 section 6, at the token endpoint of the step that the grant came from.
    async fn ask_token_endpoint(&self, provider: &Provider, tokens: &Tokens) -> Outcome {
        let Some(refresh_token) = &tokens.refresh_token else { return Outcome::NotRefreshable };
        let server = match provider.server_of(&tokens.step, &tokens.state, &tokens.hosts).await {
            Ok(Some(server)) => server,
            Ok(None) => return Outcome::NotRefreshable,
            Err(error) => return Outcome::of_plugin(&error),
        };
        let (outbound, now) = (provider.outbound(&tokens.hosts), self.clock.now());
        let server = match self.issuers.server(&server, &outbound, now).await {
            Ok(server) => server,
            // Nothing was sent to the token endpoint.
            Err(error) => return Outcome::Outage(cut(&error.to_string()), None),
        };
        match request_refresh(&server, refresh_token, now).await {
            Ok(answer) => judged(server.oauth2(), answer),
            Err(error) => Outcome::of_error(&error),
        }
    }

    /// Writes the new tokens: until then they exist nowhere else, so it is tried again for a while.
    async fn succeeded(
        &self,
        grant: &Grant,
        integration: &Integration,
        before: Tokens,
        mut new: plugins::Grant,
        by_host: bool,
    ) -> StoreResult<Attempt> {
        let is_single_use = if by_host { learnt(&before, &new) } else { grant.is_single_use };
        if by_host {
            // The scheme in which a token is sent does not change, and the provider may have corrected what its service calls it: Slack says `bot`.
            new.token_type.clone_from(&before.token_type);
        }
        let old = before.clone();
        let new = renewed(&new, before, grant.scopes.clone(), is_single_use, self.clock.now(), self.keep_alive);
        let renewal = Renewal { grant: grant.clone(), integration: integration.clone(), old, new };
        match self.write_tokens(&renewal).await? {
            Renewed::Written => {
                tracing::info!(grant.id = %grant.id, grant.name = grant.name, integration.id = %grant.integration, "a grant is refreshed");
            }
            Renewed::TooLate(given_up) => {
                tracing::warn!(grant.id = %grant.id, integration.id = %grant.integration, is_given_up = given_up.is_some(), "a grant was replaced or ended while it was refreshed: its new tokens are revoked where nobody uses them");
                self.look_for_revocations();
            }
        }
        Ok(Attempt::Done)
    }

    async fn write_tokens(&self, renewal: &Renewal) -> StoreResult<Renewed> {
        let since = std::time::Instant::now();
        let mut pause = Duration::from_millis(50);
        loop {
            let written = renewal.clone();
            match self.store.write(move |tx| renewal::renew(tx, &written)).await {
                Ok(renewed) => return Ok(renewed),
                Err(error) if since.elapsed() > WRITE_PATIENCE => return Err(error),
                Err(error) => {
                    tracing::warn!(grant.id = %renewal.grant.id, %error, "new tokens could not be written; it is tried again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        }
    }
}

fn waits(grant: &Grant, now: OffsetDateTime, at: OffsetDateTime) -> Attempt {
    let reason = grant.reason.clone().unwrap_or_else(|| "the last refresh failed".to_owned());
    Attempt::Failed { reason, retry_after: until(now, at) }
}

pub(super) fn until(now: OffsetDateTime, at: OffsetDateTime) -> Duration {
    (at - now).try_into().unwrap_or_default()
}

/// As it is asked about: with what the provider needs to know of it.
fn as_plugins_see_it(grant: &Grant, tokens: &Tokens) -> plugins::Grant {
    let mut seen = plugins::Grant::new(&grant.name, tokens.access_token.as_str()).subject(&grant.subject);
    seen.step.clone_from(&tokens.step);
    seen.token_type.clone_from(&tokens.token_type);
    seen.refresh_token = tokens.refresh_token.as_deref().map(Into::into);
    seen.scopes(grant.scopes.granted.clone())
}

/// RFC 6749 section 6. The scope is left out: then it is the one that was granted.
async fn request_refresh(
    server: &AuthorizationServer,
    refresh_token: &str,
    now: OffsetDateTime,
) -> Result<State, TokenError> {
    let oauth2 = server.oauth2();
    let parameters = Parameters::grant("refresh_token").secret("refresh_token", refresh_token);
    let parameters = oauth2.token_parameters.iter().fold(parameters, |all, (name, value)| all.with(name, value));
    request_token(oauth2, parameters, server.outbound(), now).await
}

/// An answer without a token, as Slack's with `ok` false and no error would be, is one that cannot be read.
fn judged(server: &OAuth2, answer: State) -> Outcome {
    let answer = serde_json::Value::Object(answer);
    // Slack's is nested at installation and flat at a refresh.
    let tokens =
        answer.pointer(&server.token_pointer).filter(|found| found.get("access_token").is_some()).unwrap_or(&answer);
    match plugins::Grant::from_token_response("", tokens) {
        Some(grant) => Outcome::Granted(Box::new(grant)),
        None => Outcome::Lost("the answer of the token endpoint has no access token".to_owned()),
    }
}

/// Whether its refresh tokens work once: they do where each answer brings another (RFC 6749 section 6).
fn learnt(before: &Tokens, new: &plugins::Grant) -> Option<bool> {
    let came = new.refresh_token.as_ref().map(|token| token.expose());
    Some(came.is_some_and(|token| !token.is_empty() && Some(token) != before.refresh_token.as_deref()))
}
