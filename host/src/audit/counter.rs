//! Deeds that happen thousands of times a second. The first of its kind in a minute is written at once; its repeats are counted in memory and
//! written as one row when the minute is over, and at the end of the host.
//!
//! A host that is killed loses the counts of its last minute, never that there was somebody who did it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use time::OffsetDateTime;

use super::{Action, Actor, Audit, Entry};
use crate::store::{IntegrationId, OrganizationId, StoreResult};

/// How long repeats are gathered.
const WINDOW: time::Duration = time::Duration::seconds(60);

/// What makes two deeds one of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    action: Action,
    actor: Actor,
    organization: Option<OrganizationId>,
    integration: Option<IntegrationId>,
}

struct Repeats {
    entry: Entry,
    since: OffsetDateTime,
    count: u32,
}

/// What is counted and not yet written.
#[derive(Default)]
pub(super) struct Counts(Mutex<HashMap<Kind, Repeats>>);

impl Counts {
    fn with<T>(&self, run: impl FnOnce(&mut HashMap<Kind, Repeats>) -> T) -> T {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a repeat. Answers whether there was one to repeat.
    fn repeat(&self, kind: &Kind, now: OffsetDateTime) -> bool {
        self.with(|counts| {
            let found = counts.get_mut(kind).filter(|known| now - known.since < WINDOW);
            found.map(|known| known.count += 1).is_some()
        })
    }

    /// Begins a minute. Answers what was counted in the one before.
    fn begin(&self, kind: Kind, entry: &Entry, now: OffsetDateTime) -> Option<Entry> {
        let fresh = Repeats { entry: entry.clone(), since: now, count: 0 };
        self.with(|counts| counts.insert(kind, fresh)).and_then(Repeats::counted)
    }

    /// Takes out what began before a time.
    fn take(&self, before: OffsetDateTime) -> Vec<Entry> {
        self.with(|counts| {
            counts.extract_if(|_, known| known.since <= before).filter_map(|(_, known)| known.counted()).collect()
        })
    }
}

impl Repeats {
    fn counted(self) -> Option<Entry> {
        let since = self.since.unix_timestamp();
        (self.count > 0).then(|| self.entry.detail("since", since).count(self.count))
    }
}

impl Audit {
    /// Counts a deed. When this answers, it is written, or one of its kind (action, actor, organization, integration) of this minute is.
    ///
    /// # Errors
    /// When the database fails: then it is not to be done.
    pub async fn count(&self, entry: Entry) -> StoreResult<()> {
        let (kind, now) = (entry.kind(), self.clock.now());
        if self.counts.repeat(&kind, now) {
            return Ok(());
        }
        // Written before it is known: a repeat must not be answered while nothing is there.
        self.write(entry.clone()).await?;
        match self.counts.begin(kind, &entry, now) {
            Some(before) => self.write(before).await,
            None => Ok(()),
        }
    }

    /// Writes the counts of minutes that are over.
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

    async fn write_counts(&self, before: OffsetDateTime) -> StoreResult<()> {
        for entry in self.counts.take(before) {
            self.write(entry).await?;
        }
        Ok(())
    }
}

impl Entry {
    fn kind(&self) -> Kind {
        Kind {
            action: self.action(),
            actor: self.actor().clone(),
            organization: self.organization_id(),
            integration: self.integration_of(),
        }
    }
}
