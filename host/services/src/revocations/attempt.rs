//! One attempt: the lease, the request to the provider, and the reply in the database.

use std::time::Duration;

use time::OffsetDateTime;

use super::{
    answer::{ProviderReply, RevocationOutcome, TokenEffect},
    ask::ProviderRequest,
    payload::without_tokens_in_use,
    revocation_audit::{self, Attempted},
};
use jackfield_config::clock::Clock;
use jackfield_loader::Plugins;
use jackfield_oauth2::Issuers;
use jackfield_store::{
    RevocationId, Store, StoreResult, Tx, identities,
    revocations::{self, Lease, Next, Revocation, RevocationPayload},
    revoking,
};

/// Longest duration of an attempt.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// Longer than any attempt, so that nobody else asks meanwhile. After a host was killed, nobody
/// waits longer than this.
const LEASE: Duration = Duration::from_secs(75);
/// Longest pause of a provider's other revocations, where it asks for one: it may mean one account.
const PAUSE_OF_OTHERS: Duration = Duration::from_secs(5 * 60);
/// Why an integration cannot be used that was connected while its earlier removal was under way.
const ENDED_WITH_IT: &str = "its earlier removal, which came to its end at the provider only now, has ended it as well";

/// Makes attempts. Cheap to clone.
#[derive(Clone)]
pub(super) struct Attempts {
    pub(super) store: Store,
    pub(super) plugins: Plugins,
    pub(super) issuers: Issuers,
    pub(super) clock: Clock,
}

/// A revocation whose lease is the caller's.
pub(super) struct Claimed {
    revocation: Revocation,
    lease: Lease,
}

impl Claimed {
    pub(super) const fn id(&self) -> RevocationId {
        self.revocation.id
    }
}

/// Takes the lease on a revocation that is due by a time, if nobody else has it.
pub(super) fn claim(tx: &mut Tx<'_>, id: RevocationId, due_by: OffsetDateTime) -> StoreResult<Option<Claimed>> {
    let lease = revocations::claim(tx, id, due_by, LEASE)?;
    let revocation = revocations::get(tx, id)?;
    Ok(lease.zip(revocation).map(|(lease, revocation)| Claimed { revocation, lease }))
}

impl Attempts {
    /// Revokes what is due by a time, if nobody else is at it.
    pub(super) async fn revoke(&self, id: RevocationId, due_by: OffsetDateTime) -> StoreResult<RevocationOutcome> {
        match self.store.write(move |tx| claim(tx, id, due_by)).await? {
            None => Ok(RevocationOutcome::HeldByAnotherHost),
            Some(claimed) => self.attempt(claimed).await,
        }
    }

    /// Asks the provider and records the reply.
    pub(super) async fn attempt(&self, claimed: Claimed) -> StoreResult<RevocationOutcome> {
        let Claimed { revocation, lease } = claimed;
        let (reply, payload) = match tokio::time::timeout(TIME_LIMIT, self.ask(&revocation)).await {
            Ok(answered) => answered?,
            Err(_) => {
                let words = format!("no answer within {} s", TIME_LIMIT.as_secs());
                (ProviderReply::Later(words, None), RevocationPayload::default())
            }
        };
        let outcome = RevocationOutcome::of(&revocation, reply, self.clock.now());
        if self.record(&revocation, lease, &outcome, payload).await? {
            log(&revocation, &outcome);
        }
        if let RevocationOutcome::Waiting { asked: Some(asked), .. } = &outcome {
            self.pause_others(&revocation.provider, *asked).await?;
        }
        Ok(outcome)
    }

    /// The provider's reply, and what of the payload it covers.
    async fn ask(&self, revocation: &Revocation) -> StoreResult<(ProviderReply, RevocationPayload)> {
        let payload = match revocation.payload(self.store.sealer()) {
            Ok(Some(payload)) => payload,
            Ok(None) => {
                let reply = ProviderReply::Done("nothing is left".to_owned(), TokenEffect::Nothing);
                return Ok((reply, RevocationPayload::default()));
            }
            Err(error) => {
                let words = format!("what is to be revoked cannot be read: {error}");
                return Ok((ProviderReply::Unreadable(words), RevocationPayload::default()));
            }
        };
        let Some(provider) = self.plugins.find_configured(&revocation.provider) else {
            let words = format!("the provider `{}` is not loaded or not configured", revocation.provider);
            return Ok((ProviderReply::NotAsked(words), payload));
        };
        let mut payload = without_tokens_in_use(&self.store, revocation, payload).await?;
        if !payload.is_whole && payload.grants.is_empty() {
            let words = "left alone: its tokens are in use".to_owned();
            return Ok((ProviderReply::Done(words, TokenEffect::Nothing), payload));
        }
        let request = ProviderRequest {
            provider: &provider,
            issuers: &self.issuers,
            clock: &self.clock,
            external_id: &revocation.external_id,
        };
        let reply = request.send(&mut payload).await;
        Ok((reply.with_unreadable(payload.unreadable), payload))
    }

    /// Writes the outcome. Returns whether the lease was still ours.
    async fn record(
        &self,
        revocation: &Revocation,
        lease: Lease,
        outcome: &RevocationOutcome,
        payload: RevocationPayload,
    ) -> StoreResult<bool> {
        let (revocation, outcome) = (revocation.clone(), outcome.clone());
        let digest = self.plugins.digest_of(&revocation.provider);
        self.store
            .write(move |tx| {
                let is_revoked = matches!(outcome, RevocationOutcome::Done { effect: TokenEffect::Revoked, .. });
                let has_ended_another = if is_revoked { mark_revoked(tx, &revocation, &payload)? } else { false };
                let is_ours = give_back(tx, revocation.id, lease, &outcome)?;
                if is_ours {
                    let attempted = Attempted { revocation: &revocation, outcome: &outcome, digest, has_ended_another };
                    revocation_audit::write(tx, attempted)?;
                }
                Ok(is_ours)
            })
            .await
    }

    /// In a transaction of its own: two that hold a row each and want the other's would wait for
    /// ever.
    async fn pause_others(&self, provider: &str, asked: Duration) -> StoreResult<()> {
        let until = self.clock.now() + asked.min(PAUSE_OF_OTHERS);
        let provider = provider.to_owned();
        self.store.write(move |tx| revocations::postpone_provider(tx, &provider, until)).await
    }
}

fn give_back(tx: &mut Tx<'_>, id: RevocationId, lease: Lease, outcome: &RevocationOutcome) -> StoreResult<bool> {
    match outcome {
        RevocationOutcome::Done { answer, effect: TokenEffect::Impossible } => {
            revocations::end_unrevoked(tx, id, lease, answer)
        }
        RevocationOutcome::Done { answer, .. } => revocations::end(tx, id, lease, answer),
        RevocationOutcome::Waiting { answer, retry_at, .. } => {
            revocations::give_back(tx, id, lease, answer, Next::Again(*retry_at))
        }
        RevocationOutcome::NotAsked { answer, retry_at } => {
            revocations::give_back(tx, id, lease, answer, Next::Unasked(*retry_at))
        }
        RevocationOutcome::Failed(answer) => revocations::give_back(tx, id, lease, answer, Next::Operators),
        RevocationOutcome::HeldByAnotherHost | RevocationOutcome::EndedByAnotherHost(_) => Ok(false),
    }
}

/// Marks what the revoked tokens were used for. If all of an account was revoked, that includes an
/// integration that was connected after the provider was asked: returns whether there was one.
fn mark_revoked(tx: &mut Tx<'_>, revocation: &Revocation, payload: &RevocationPayload) -> StoreResult<bool> {
    // Where the account is still connected, its identities have other tokens.
    for grant in payload.grants.iter().filter(|grant| !payload.is_connected && !grant.subject.is_empty()) {
        let account = identities::account(tx, &revocation.provider, &grant.subject)?;
        identities::invalidate(tx, &account, &grant.tokens.access_token)?;
    }
    if !payload.is_whole {
        return Ok(false);
    }
    revoking::mark_revoked(tx, &revocation.provider, &revocation.external_id, ENDED_WITH_IT)
}

fn log(revocation: &Revocation, outcome: &RevocationOutcome) {
    let (id, provider, reason) = (revocation.id, &revocation.provider, revocation.reason.as_str());
    match outcome {
        RevocationOutcome::Done { answer, effect } => {
            tracing::info!(revocation.id = %id, provider.id = provider, reason, answer, ?effect, "a revocation is at its end");
        }
        RevocationOutcome::Waiting { answer, retry_at, .. } => {
            tracing::warn!(revocation.id = %id, provider.id = provider, reason, answer, retry_at = %retry_at, "not revoked yet; it is tried again");
        }
        RevocationOutcome::Failed(answer) => {
            tracing::error!(revocation.id = %id, provider.id = provider, reason, answer, "not revoked, and not tried again; `jackfield revoke --provider {provider} --again` does");
        }
        RevocationOutcome::NotAsked { answer, retry_at } => {
            tracing::warn!(revocation.id = %id, provider.id = provider, reason, answer, retry_at = %retry_at, "not revoked yet: nobody can be asked; it is looked at again");
        }
        RevocationOutcome::HeldByAnotherHost | RevocationOutcome::EndedByAnotherHost(_) => {}
    }
}
