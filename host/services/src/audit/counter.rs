//! Deeds that happen thousands of times a second. The first of its kind in a minute is written at once; its repeats are counted in memory and
//! written as one row when the minute is over, and at the end of the host.
//!
//! A host that is killed loses the counts of its last minute, never that there was somebody who did it.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use time::OffsetDateTime;

use super::{Action, Actor, Audit, Entry, Outcome};
use jackfield_store::{IntegrationId, OrganizationId, StoreError, StoreResult, Tx, audit};

/// How long repeats are gathered.
const WINDOW: time::Duration = time::Duration::seconds(60);

/// How many counts are one transaction: each costs no sync of its own, and none keeps others from writing for long.
const AT_ONCE: usize = 500;

/// What makes two deeds one of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    action: Action,
    actor: Actor,
    organization: Option<OrganizationId>,
    integration: Option<IntegrationId>,
    /// What was refused is not counted with what was done.
    outcome: Outcome,
    /// Whose token it was (a person's is another matter than the bot's), and why it did not come about.
    details: [Option<String>; 3],
}

/// What a minute of a kind has brought beside its first.
struct Repeats {
    /// The first, as it was written: what it names may be gone when they are.
    entry: Entry,
    since: OffsetDateTime,
    count: u32,
}

type Taken = Vec<(Kind, Repeats)>;

/// What is counted and not yet written.
#[derive(Default)]
pub(super) struct Counts {
    known: Mutex<HashMap<Kind, Repeats>>,
    /// Of kinds that begin. Who begins one while another does waits, and then repeats; other kinds do not wait.
    turns: Mutex<HashMap<Kind, Arc<tokio::sync::Mutex<()>>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Counts {
    /// Counts a repeat. Answers whether there was one to repeat.
    fn repeat(&self, kind: &Kind, now: OffsetDateTime) -> bool {
        let mut known = locked(&self.known);
        let found = known.get_mut(kind).filter(|repeats| now - repeats.since < WINDOW);
        found.map(|repeats| repeats.count = repeats.count.saturating_add(1)).is_some()
    }

    pub(super) fn turn(&self, kind: &Kind) -> Arc<tokio::sync::Mutex<()>> {
        locked(&self.turns).entry(kind.clone()).or_default().clone()
    }

    /// Takes a kind out, to be written: nobody else writes it meanwhile.
    fn take(&self, kind: &Kind) -> Taken {
        locked(&self.known).remove_entry(kind).into_iter().collect()
    }

    /// Takes those out whose minute began by then, and forgets the turns that nobody waits for.
    fn take_due(&self, by: OffsetDateTime) -> Taken {
        locked(&self.turns).retain(|_, turn| Arc::strong_count(turn) > 1);
        locked(&self.known).extract_if(|_, repeats| repeats.since <= by).collect()
    }

    /// Puts back what could not be written. What has begun since is counted with it.
    fn put_back(&self, taken: Taken) {
        let mut known = locked(&self.known);
        for (kind, mut repeats) in taken {
            repeats.count = repeats.count.saturating_add(known.get(&kind).map_or(0, |since| since.count));
            known.insert(kind, repeats);
        }
    }
}

/// As rows; what was not repeated needs none.
fn rows(taken: &Taken) -> Vec<Entry> {
    taken.iter().filter(|(_, repeats)| repeats.count > 0).map(|(_, repeats)| repeats.row()).collect()
}

impl Repeats {
    fn row(&self) -> Entry {
        self.entry.clone().detail("since", self.since.unix_timestamp()).count(self.count)
    }
}

impl Audit {
    /// Counts a deed. When this answers, it is written, or one of its kind (action, actor, organization, integration, outcome) of this minute is.
    ///
    /// # Errors
    /// When the database fails: then it is not to be done.
    pub async fn count(&self, entry: Entry) -> StoreResult<()> {
        if self.counts.repeat(&Kind::of(&entry), self.clock.now()) {
            return Ok(());
        }
        let audit = self.clone();
        to_its_end(async move { audit.begin(entry).await }).await
    }

    async fn begin(&self, entry: Entry) -> StoreResult<()> {
        let kind = Kind::of(&entry);
        let turn = self.counts.turn(&kind);
        let _turn = turn.lock().await;
        let now = self.clock.now();
        if self.counts.repeat(&kind, now) {
            return Ok(());
        }
        let before = self.counts.take(&kind);
        match self.write_first(rows(&before), entry).await {
            // Written before it is known: a repeat must not be answered while nothing is there.
            Ok(entry) => drop(locked(&self.counts.known).insert(kind, Repeats { entry, since: now, count: 0 })),
            Err(error) => {
                self.counts.put_back(before);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Writes the first of a minute after the repeats of the minute before, and answers it with all that it names.
    async fn write_first(&self, before: Vec<Entry>, entry: Entry) -> StoreResult<Entry> {
        let builds = self.builds.clone();
        let write = move |tx: &mut Tx<'_>| {
            let entry = audit::with_names(tx, &entry)?.served_by(&builds);
            before.iter().chain([&entry]).try_for_each(|entry| tx.audit(entry))?;
            Ok(entry)
        };
        self.store.write(write).await
    }

    /// Writes the counts of minutes that are over, each minute, for as long as the host runs.
    pub async fn keep(self) {
        let mut ticks = tokio::time::interval(WINDOW.unsigned_abs());
        loop {
            ticks.tick().await;
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "counts could not be written into the audit log; they stay counted");
            }
        }
    }

    /// Writes the counts of minutes that are over. What cannot be written stays counted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self) -> StoreResult<()> {
        self.write_counts(self.clock.now() - WINDOW).await
    }

    /// Writes all counts: the host ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle(&self) -> StoreResult<()> {
        self.write_counts(self.clock.now()).await
    }

    async fn write_counts(&self, by: OffsetDateTime) -> StoreResult<()> {
        let audit = self.clone();
        to_its_end(async move { audit.write_taken(audit.counts.take_due(by)).await }).await
    }

    /// Whoever counts meanwhile begins anew, and waits for nobody but the database.
    async fn write_taken(&self, mut taken: Taken) -> StoreResult<()> {
        taken.retain(|(_, repeats)| repeats.count > 0);
        while !taken.is_empty() {
            let rest = taken.split_off(taken.len().min(AT_ONCE));
            if let Err(error) = self.write_all(rows(&taken)).await {
                self.counts.put_back(taken.into_iter().chain(rest).collect());
                return Err(error);
            }
            taken = rest;
        }
        Ok(())
    }
}

/// Also when whoever asked goes away meanwhile: what is in the log must not stay counted.
async fn to_its_end(run: impl Future<Output = StoreResult<()>> + Send + 'static) -> StoreResult<()> {
    tokio::spawn(run).await.map_err(|error| StoreError::Lost(error.to_string()))?
}

impl Kind {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            action: entry.action(),
            actor: entry.actor().clone(),
            organization: entry.organization_id(),
            integration: entry.integration_of(),
            outcome: entry.outcome_of(),
            details: ["grant", "subject", "reason"].map(|name| entry.detail_of(name).map(str::to_owned)),
        }
    }
}
