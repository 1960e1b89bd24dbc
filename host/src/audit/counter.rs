//! Deeds that happen thousands of times a second. The first of its kind in a minute is written at once; its repeats are counted in memory and
//! written as one row when the minute is over, and at the end of the host.
//!
//! A host that is killed loses the counts of its last minute, never that there was somebody who did it.

use std::{collections::HashMap, future::Future, sync::PoisonError};

use time::OffsetDateTime;

use super::{Action, Actor, Audit, Entry};
use crate::store::{IntegrationId, OrganizationId, StoreError, StoreResult};

/// How long repeats are gathered.
const WINDOW: time::Duration = time::Duration::seconds(60);

/// What makes two deeds one of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    action: Action,
    actor: Actor,
    organization: Option<OrganizationId>,
    integration: Option<IntegrationId>,
    /// Whose token it was: a person's is another matter than the bot's.
    grant: [Option<String>; 2],
}

#[derive(Clone)]
struct Repeats {
    entry: Entry,
    since: OffsetDateTime,
    count: u32,
}

/// What is counted and not yet written.
#[derive(Default)]
pub(super) struct Counts {
    known: std::sync::Mutex<HashMap<Kind, Repeats>>,
    /// Held while a row is written: who begins a kind at the same time waits, and then repeats. Rows are appended in turn in any case.
    turn: tokio::sync::Mutex<()>,
}

impl Counts {
    fn with<T>(&self, run: impl FnOnce(&mut HashMap<Kind, Repeats>) -> T) -> T {
        run(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a repeat. Answers whether there was one to repeat.
    fn repeat(&self, kind: &Kind, now: OffsetDateTime) -> bool {
        self.with(|known| {
            let found = known.get_mut(kind).filter(|repeats| now - repeats.since < WINDOW);
            found.map(|repeats| repeats.count = repeats.count.saturating_add(1)).is_some()
        })
    }

    fn begin(&self, kind: Kind, entry: Entry, since: OffsetDateTime) {
        self.with(|known| known.insert(kind, Repeats { entry, since, count: 0 }));
    }

    /// The kinds whose minute began by then.
    fn due(&self, by: OffsetDateTime) -> Vec<Kind> {
        self.with(|known| {
            known.iter().filter(|(_, repeats)| repeats.since <= by).map(|(kind, _)| kind.clone()).collect()
        })
    }

    /// So many of these are in the log by now.
    fn written(&self, kind: &Kind, count: u32) {
        self.with(|known| {
            let Some(repeats) = known.get_mut(kind) else { return };
            repeats.count -= count;
            if repeats.count == 0 {
                known.remove(kind);
            }
        });
    }
}

impl Audit {
    /// Counts a deed. When this answers, it is written, or one of its kind (action, actor, organization, integration) of this minute is.
    ///
    /// # Errors
    /// When the database fails: then it is not to be done.
    pub async fn count(&self, entry: Entry) -> StoreResult<()> {
        if self.counts.repeat(&entry.kind(), self.clock.now()) {
            return Ok(());
        }
        let audit = self.clone();
        to_its_end(async move { audit.begin(entry).await }).await
    }

    async fn begin(&self, entry: Entry) -> StoreResult<()> {
        let _turn = self.counts.turn.lock().await;
        let (kind, now) = (entry.kind(), self.clock.now());
        if self.counts.repeat(&kind, now) {
            return Ok(());
        }
        self.write_repeats(&kind).await?;
        // Written before it is known: a repeat must not be answered while nothing is there.
        self.write(entry.clone()).await?;
        self.counts.begin(kind, entry, now);
        Ok(())
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
        to_its_end(async move {
            let _turn = audit.counts.turn.lock().await;
            for kind in audit.counts.due(by) {
                audit.write_repeats(&kind).await?;
            }
            Ok(())
        })
        .await
    }

    /// By whoever has the turn.
    async fn write_repeats(&self, kind: &Kind) -> StoreResult<()> {
        let Some(Repeats { entry, since, count }) = self.counts.with(|known| known.get(kind).cloned()) else {
            return Ok(());
        };
        if count > 0 {
            self.write(entry.detail("since", since.unix_timestamp()).count(count)).await?;
        }
        self.counts.written(kind, count);
        Ok(())
    }
}

/// Also when whoever asked goes away meanwhile: what is in the log must not stay counted.
async fn to_its_end(run: impl Future<Output = StoreResult<()>> + Send + 'static) -> StoreResult<()> {
    tokio::spawn(run).await.map_err(|error| StoreError::Lost(error.to_string()))?
}

impl Entry {
    fn kind(&self) -> Kind {
        Kind {
            action: self.action(),
            actor: self.actor().clone(),
            organization: self.organization_id(),
            integration: self.integration_of(),
            grant: ["grant", "subject"].map(|name| self.detail_of(name).map(str::to_owned)),
        }
    }
}
