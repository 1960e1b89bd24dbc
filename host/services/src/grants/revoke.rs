//! One revocation: the lease, the question to the provider, and its answer in the database. And what is due, again and again.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use time::OffsetDateTime;

use super::{Grants, leaving::Said, outcome::pause};
use jackfield_store::{
    OrganizationId, RevocationId, StoreResult, Tx,
    audit::{Action, Actor, Entry},
    identities, integrations,
    leaving::{self, Unlinked},
    organization_integrations,
    revocations::{self, Given, Lease, Next, Reason, Revocation, Which},
};

/// What came of an attempt. Words hold no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempted {
    /// There is nothing left to do.
    Done {
        /// What the provider said.
        answer: String,
        /// What that means for the tokens.
        effect: Effect,
    },
    /// It is not done, and tried again.
    Waiting {
        /// What the provider said.
        answer: String,
        /// For how long it wants to be left alone, if it says so.
        asked: Option<Duration>,
        /// When it is tried again.
        retry_at: OffsetDateTime,
    },
    /// Nobody could be asked. It is looked at again.
    Unasked {
        /// Why.
        answer: String,
        /// When.
        retry_at: OffsetDateTime,
    },
    /// It is not done, and not tried again.
    Failed(String),
    /// Somebody else is at it, or it is done, or it is not due.
    Elsewhere,
    /// Somebody else has brought it to its end, with this answer.
    EndedElsewhere(String),
}

/// What an end means for the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// They do not work any more.
    Revoked,
    /// There were none, or they are in use still.
    Nothing,
    /// The provider has no revocation, for them or for some of them: they may work on until they expire.
    Impossible,
}

/// Longest life of an attempt. Who was killed is not waited for longer than the lease.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// Life of a lease: longer than any attempt, so that nobody else asks meanwhile.
pub(super) const LEASE: Duration = Duration::from_secs(75);
/// For how long a provider is asked again, and how often at least: what nobody could be asked for was not tried.
const PATIENCE: time::Duration = time::Duration::days(7);
const FEWEST_ATTEMPTS: i32 = 10;
/// For how long at most others of a provider are left alone that wants a pause: it may mean one account.
const PAUSE_OF_OTHERS: Duration = Duration::from_secs(5 * 60);
/// How long a person who removes something waits for the provider.
const MOMENT: Duration = Duration::from_secs(2);
/// When a provider that is not loaded is looked for again.
const LOOK_FOR_PROVIDER: time::Duration = time::Duration::minutes(5);

/// How often the database is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// How often integrations are looked for that no organization has any more.
const LOOK_FOR_UNLINKED: Duration = Duration::from_secs(10 * 60);
/// How many are tried at one look, and how many at once: nobody waits for them, and a provider has its limits.
const MOST: i64 = 50;
/// How many people are shown.
const SHOWN: i64 = 100;
const AT_ONCE: usize = 4;

impl Grants {
    /// Has something revoked that was just given up. Answers after a moment, also when the provider does not: it is tried again.
    pub async fn revoke_now(&self, id: RevocationId) -> Option<Attempted> {
        let (grants, span) = (self.clone(), tracing::Span::current());
        let attempt = async move {
            let result = grants.revoke(id, grants.clock.now()).await;
            result.inspect_err(|error| tracing::error!(revocation.id = %id, %error, "a revocation failed")).ok()
        };
        // It goes on when the person goes away.
        let task = tokio::spawn(tracing::Instrument::instrument(attempt, span));
        tokio::time::timeout(MOMENT, task).await.ok()?.ok()?
    }

    /// Has one revoked that is due by a time, if nobody else is at it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke(&self, id: RevocationId, due_by: OffsetDateTime) -> StoreResult<Attempted> {
        let claimed = self.store.write(move |tx| {
            let lease = revocations::claim(tx, id, due_by, LEASE)?;
            Ok(lease.zip(revocations::get(tx, id)?))
        });
        match claimed.await? {
            None => Ok(Attempted::Elsewhere),
            Some((lease, revocation)) => self.attempt_revocation(&revocation, lease).await,
        }
    }

    pub(super) async fn attempt_revocation(&self, revocation: &Revocation, lease: Lease) -> StoreResult<Attempted> {
        let (said, given) = match tokio::time::timeout(TIME_LIMIT, self.ask_to_revoke(revocation)).await {
            Ok(answered) => answered?,
            Err(_) => (Said::Later(format!("no answer within {} s", TIME_LIMIT.as_secs()), None), Given::default()),
        };
        let attempted = judged(revocation, said, self.clock.now());
        if self.record(revocation, lease, &attempted, given).await? {
            tell(revocation, &attempted);
        }
        if let Attempted::Waiting { asked: Some(asked), .. } = &attempted {
            let (provider, until) = (revocation.provider.clone(), self.clock.now() + (*asked).min(PAUSE_OF_OTHERS));
            // In a transaction of its own: two that hold a row each and want each other's would wait for ever.
            self.store.write(move |tx| revocations::put_off_others(tx, &provider, until)).await?;
        }
        Ok(attempted)
    }

    /// Writes what came of it. Answers whether the lease was still ours.
    async fn record(
        &self,
        revocation: &Revocation,
        lease: Lease,
        attempted: &Attempted,
        given: Given,
    ) -> StoreResult<bool> {
        let digest = self.plugins.digest_of(&revocation.provider);
        let (revocation, attempted) = (revocation.clone(), attempted.clone());
        self.store
            .write(move |tx| {
                let has_ended_another = match attempted {
                    Attempted::Done { effect: Effect::Revoked, .. } => follow(tx, &revocation, &given)?,
                    _ => false,
                };
                let is_ours = settle(tx, revocation.id, lease, &attempted)?;
                let deed = in_the_audit_log(&revocation, &attempted).filter(|_| is_ours);
                let deed = deed.map(|deed| located(tx, deed, &revocation, digest)).transpose()?;
                let deed = deed.map(|deed| if has_ended_another { deed.detail("also", CUT_OFF) } else { deed });
                for entry in deed.map(|deed| for_everybody(tx, &revocation, deed)).transpose()?.unwrap_or_default() {
                    tx.audit(&entry)?;
                }
                Ok(is_ours)
            })
            .await
    }

    /// What an organization has given up and is not revoked yet, or cannot be.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_revocations(&self, organization: OrganizationId) -> StoreResult<Vec<Revocation>> {
        let which = Which { provider: None, organization: Some(organization) };
        self.store.read(move |tx| revocations::unrevoked(tx, &which, SHOWN)).await
    }

    /// What an organization has given up last, whatever became of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn latest_revocations(&self, organization: OrganizationId) -> StoreResult<Vec<Revocation>> {
        self.store.read(move |tx| revocations::latest(tx, organization, SHOWN)).await
    }

    /// Something may just have been given up: what is due is looked for at once, by whoever keeps looking on this host.
    pub fn look_for_revocations(&self) {
        self.given_up.notify_one();
    }

    /// Has revoked what is due until it is dropped.
    pub async fn keep_revoking(self) {
        let (mut ticks, mut unlinked) = (tokio::time::interval(LOOK), tokio::time::interval(LOOK_FOR_UNLINKED));
        loop {
            let looked = tokio::select! {
                _ = unlinked.tick() => self.give_up_unlinked().await,
                _ = ticks.tick() => self.revoke_due().await,
                () = self.given_up.notified() => self.revoke_due().await,
            };
            if let Err(error) = looked {
                tracing::warn!(%error, "what is to be revoked could not be looked after");
            }
        }
    }

    /// Gives up integrations that no organization has any more: theirs was deleted, and nobody sees them. Answers how many there were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_up_unlinked(&self) -> StoreResult<usize> {
        let found = self.store.read(|tx| leaving::unlinked(tx, MOST)).await?;
        for id in &found {
            let id = *id;
            let remove = move |tx: &mut Tx<'_>| {
                let Some(found) = integrations::by_id(tx, id)? else { return Ok(()) };
                if let Unlinked::Removed(_) = leaving::remove_unlinked(tx, id, Reason::Orphaned)? {
                    let entry = Entry::new(Action::Unlink, Actor::host()).integration(&found);
                    tx.audit(&entry.detail("removed", true).detail("cause", NO_ORGANIZATION))?;
                }
                Ok(())
            };
            self.store.write(remove).await?;
            tracing::info!(integration.id = %id, "an integration is removed that no organization has any more");
        }
        Ok(found.len())
    }

    /// One look. Answers how many were due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_due(&self) -> StoreResult<usize> {
        let now = self.clock.now();
        let due = self.store.read(move |tx| revocations::due(tx, MOST)).await?;
        let count = due.len();
        let attempts = stream::iter(due).map(|id| async move {
            if let Err(error) = self.revoke(id, now).await {
                tracing::error!(revocation.id = %id, %error, "a revocation failed");
            }
        });
        attempts.buffer_unordered(AT_ONCE).collect::<()>().await;
        Ok(count)
    }
}

/// What follows from what the provider said. One that does not do it is asked for a while; one that cannot be asked is waited for.
fn judged(revocation: &Revocation, said: Said, now: OffsetDateTime) -> Attempted {
    match said {
        Said::Done(answer, effect) => Attempted::Done { answer, effect },
        Said::Hopeless(answer) => Attempted::Failed(answer),
        Said::Nobody(answer) => Attempted::Unasked { answer, retry_at: now + LOOK_FOR_PROVIDER },
        Said::Later(answer, _) if now - revocation.date_added > PATIENCE && revocation.attempts >= FEWEST_ATTEMPTS => {
            Attempted::Failed(answer)
        }
        Said::Later(answer, asked) => {
            Attempted::Waiting { answer, asked, retry_at: now + pause(revocation.attempts - 1, asked) }
        }
    }
}

fn settle(tx: &mut Tx<'_>, id: RevocationId, lease: Lease, attempted: &Attempted) -> StoreResult<bool> {
    match attempted {
        Attempted::Done { answer, effect: Effect::Impossible } => revocations::end_unrevoked(tx, id, lease, answer),
        Attempted::Done { answer, .. } => revocations::end(tx, id, lease, answer),
        Attempted::Waiting { answer, retry_at, .. } => {
            revocations::give_back(tx, id, lease, answer, Next::Again(*retry_at))
        }
        Attempted::Unasked { answer, retry_at } => {
            revocations::give_back(tx, id, lease, answer, Next::Unasked(*retry_at))
        }
        Attempted::Failed(answer) => revocations::give_back(tx, id, lease, answer, Next::Operators),
        Attempted::Elsewhere | Attempted::EndedElsewhere(_) => Ok(false),
    }
}

/// Why an integration cannot be used whose account was connected while its earlier removal was under way.
const ENDED_WITH_IT: &str = "its earlier removal, which came to its end at the provider only now, has ended it as well";
/// The same in the audit log.
const CUT_OFF: &str = "the account was connected again meanwhile: it must be authenticated again";
const NO_ORGANIZATION: &str = "no organization has it";

/// What was given up does not work any more. Where all of an account was, neither does what a set-up has brought since the provider was
/// asked: answers whether there was one.
fn follow(tx: &mut Tx<'_>, revocation: &Revocation, given: &Given) -> StoreResult<bool> {
    invalidate_identities(tx, given)?;
    if !given.is_whole {
        return Ok(false);
    }
    leaving::cut_off(tx, &revocation.provider, &revocation.external_id, ENDED_WITH_IT)
}

/// Their tokens do not work any more. Where the account is connected still, others do.
fn invalidate_identities(tx: &mut Tx<'_>, given: &Given) -> StoreResult<()> {
    for grant in given.grants.iter().filter(|grant| !given.is_connected && !grant.subject.is_empty()) {
        identities::invalidate(tx, &grant.subject, &grant.tokens.access_token)?;
    }
    Ok(())
}

/// Its end, and the first time that the provider does not do it: what is tried again and again is one deed.
fn in_the_audit_log(revocation: &Revocation, attempted: &Attempted) -> Option<Entry> {
    let actor = if revocation.reason == Reason::Operator { Actor::operator() } else { Actor::host() };
    let entry = Entry::new(Action::Revoke, actor).provider(&revocation.provider).external_id(&revocation.external_id);
    let entry = entry.detail("cause", revocation.reason.as_str()).detail("attempts", revocation.attempts);
    match attempted {
        Attempted::Done { answer, effect: Effect::Impossible } | Attempted::Failed(answer) => {
            Some(entry.failed(answer))
        }
        Attempted::Done { answer, .. } => Some(entry.detail("answer", answer.as_str())),
        Attempted::Waiting { answer, .. } if revocation.attempts == 1 => Some(entry.failed(answer)),
        Attempted::Unasked { answer, .. } if revocation.answer.as_ref() != Some(answer) => Some(entry.failed(answer)),
        _ => None,
    }
}

/// By which build, and of which integration, where that is there still: not one that the account was installed as since.
fn located(tx: &mut Tx<'_>, mut entry: Entry, revocation: &Revocation, digest: Option<String>) -> StoreResult<Entry> {
    let (provider, external_id) = (&revocation.provider, &revocation.external_id);
    if let Some(id) = integrations::there_at(tx, provider, external_id, revocation.date_added)? {
        entry = entry.integration_id(id);
    }
    Ok(match digest {
        Some(digest) => entry.plugin_digest(digest),
        None => entry,
    })
}

/// Once for each organization that it concerns: who gave it up, or where the operator did and the integration is kept, whoever has it.
fn for_everybody(tx: &mut Tx<'_>, revocation: &Revocation, deed: Entry) -> StoreResult<Vec<Entry>> {
    if let Some(organization) = revocation.organization {
        return Ok(vec![deed.organization(organization)]);
    }
    let kept = match revocation.reason {
        Reason::Operator => integrations::by_external_id(tx, &revocation.provider, &revocation.external_id)?,
        _ => None,
    };
    let Some(kept) = kept else { return Ok(vec![deed]) };
    let concerned = organization_integrations::organizations_of(tx, kept.id)?;
    let told = |organization| deed.clone().integration_id(kept.id).organization(organization);
    let entries: Vec<Entry> = concerned.into_iter().map(told).collect();
    Ok(if entries.is_empty() { vec![deed] } else { entries })
}

fn tell(revocation: &Revocation, attempted: &Attempted) {
    let (id, provider, reason) = (revocation.id, &revocation.provider, revocation.reason.as_str());
    match attempted {
        Attempted::Done { answer, effect } => {
            tracing::info!(revocation.id = %id, provider.id = provider, reason, answer, ?effect, "a revocation is at its end");
        }
        Attempted::Waiting { answer, retry_at, .. } => {
            tracing::warn!(revocation.id = %id, provider.id = provider, reason, answer, retry_at = %retry_at, "not revoked yet; it is tried again");
        }
        Attempted::Failed(answer) => {
            tracing::error!(revocation.id = %id, provider.id = provider, reason, answer, "not revoked, and not tried again; `jackfield revoke --provider {provider} --again` does");
        }
        Attempted::Unasked { answer, retry_at } => {
            tracing::warn!(revocation.id = %id, provider.id = provider, reason, answer, retry_at = %retry_at, "not revoked yet: nobody can be asked; it is looked at again");
        }
        Attempted::Elsewhere | Attempted::EndedElsewhere(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-25 12:00 UTC);

    #[test]
    fn a_provider_is_asked_for_a_week_with_growing_pauses_and_one_that_is_not_loaded_for_ever() {
        let judged =
            |attempts, age: time::Duration, said| match judged(&Revocation::sample(attempts, NOW - age), said, NOW) {
                Attempted::Waiting { retry_at, .. } => format!("again after {} s", (retry_at - NOW).whole_seconds()),
                Attempted::Unasked { retry_at, .. } => format!("looks after {} s", (retry_at - NOW).whole_seconds()),
                Attempted::Failed(_) => "given up".to_owned(),
                other => format!("{other:?}"),
            };
        let down = |asked: Option<u64>| Said::Later("down".to_owned(), asked.map(Duration::from_secs));
        let nobody = || Said::Nobody("not loaded".to_owned());
        let (day, month) = (time::Duration::DAY, time::Duration::days(30));
        assert_eq!(judged(1, day, down(None)), "again after 5 s");
        assert_eq!(judged(3, day, down(None)), "again after 20 s");
        // RFC 7009 section 2.2.1.
        assert_eq!(judged(1, day, down(Some(600))), "again after 600 s");
        assert_eq!(judged(40, 7 * day, down(None)), "again after 1800 s");
        assert_eq!(judged(40, 8 * day, down(None)), "given up");
        // It came back after eight days, or the operator has it tried again: that is no reason to give up at once.
        assert_eq!(judged(1, 8 * day, down(Some(600))), "again after 600 s");
        assert_eq!(judged(9, month, down(None)), "again after 1280 s");
        assert_eq!(judged(10, month, down(None)), "given up");
        assert_eq!(judged(40, month, nobody()), "looks after 300 s");
        assert_eq!(judged(1, day, Said::Hopeless("it does not open".to_owned())), "given up");
    }
}
