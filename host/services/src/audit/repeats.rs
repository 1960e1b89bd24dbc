//! Counts repeated events in memory. Pure, but for its locks: it knows no database.

use std::collections::HashMap;

use parking_lot::Mutex;
use time::OffsetDateTime;

use jackfield_limits::KeyedMutex;
use jackfield_store::{
    IntegrationId, OrganizationId,
    audit::{Action, Actor, Entry, Outcome},
};

/// How long repeats are counted before they are written.
pub(super) const WINDOW: time::Duration = time::Duration::seconds(60);

/// Most kinds that are counted at once. The events of others are written one by one, which slows
/// down somebody who invents them.
const CAPACITY: usize = 10_000;

/// Events are of one kind if they differ only in when they happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    action: Action,
    actor: Actor,
    organization: Option<OrganizationId>,
    integration: Option<IntegrationId>,
    /// What was refused is not counted with what was done.
    outcome: Outcome,
    /// The grant and its subject, since a person's token is another matter than the bot's, why the
    /// event was refused, and of a log-in the account and the address.
    details: [Option<String>; 5],
}

/// The details that tell kinds apart.
const DETAILS: [&str; 5] = ["grant", "subject", "reason", "account", "address"];

impl Kind {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            action: entry.action(),
            actor: entry.actor().clone(),
            organization: entry.organization_id(),
            integration: entry.integration_of(),
            outcome: entry.outcome_of(),
            details: DETAILS.map(|name| entry.detail_of(name).map(str::to_owned)),
        }
    }
}

/// The repeats of one kind within one window.
pub(super) struct Repeats {
    /// The first event, as it was written: what it names may be gone by now.
    first: Entry,
    since: OffsetDateTime,
    count: u32,
}

impl Repeats {
    fn entry(&self) -> Entry {
        self.first.clone().detail("since", self.since.unix_timestamp()).count(self.count)
    }
}

/// Repeats that were taken out to be written.
pub(super) type TakenRepeats = Vec<(Kind, Repeats)>;

/// The entries of repeats. A kind that was not repeated needs none.
pub(super) fn entries(taken: &TakenRepeats) -> Vec<Entry> {
    taken.iter().filter(|(_, repeats)| repeats.count > 0).map(|(_, repeats)| repeats.entry()).collect()
}

/// All repeats that are not yet written.
#[derive(Default)]
pub(super) struct Counter {
    known: Mutex<HashMap<Kind, Repeats>>,
    /// Held while the first event of a window is written. Others of its kind wait and are repeats
    /// then; other kinds do not wait.
    pub(super) first: KeyedMutex<Kind>,
}

impl Counter {
    /// Counts a repeat, or several. Returns whether there is a first event in this window.
    pub(super) fn repeat(&self, kind: &Kind, times: u32, now: OffsetDateTime) -> bool {
        let mut known = self.known.lock();
        let Some(repeats) = known.get_mut(kind).filter(|repeats| now - repeats.since < WINDOW) else { return false };
        repeats.count = repeats.count.saturating_add(times);
        true
    }

    /// Begins a window with an event that was written. Not before that: a repeat must not be
    /// confirmed while nothing is in the log.
    pub(super) fn begin(&self, kind: Kind, first: Entry, now: OffsetDateTime) {
        let mut known = self.known.lock();
        if known.len() < CAPACITY || known.contains_key(&kind) {
            known.insert(kind, Repeats { first, since: now, count: 0 });
        }
    }

    /// Takes out the repeats of one kind. Nobody else writes them meanwhile.
    pub(super) fn take(&self, kind: &Kind) -> TakenRepeats {
        self.known.lock().remove_entry(kind).into_iter().collect()
    }

    /// Takes out all repeats whose window began by `by` and that have something to write.
    pub(super) fn take_due(&self, by: OffsetDateTime) -> TakenRepeats {
        let mut due: TakenRepeats = self.known.lock().extract_if(|_, repeats| repeats.since <= by).collect();
        due.retain(|(_, repeats)| repeats.count > 0);
        due
    }

    /// How many events are counted and not written.
    pub(super) fn unwritten(&self) -> u64 {
        self.known.lock().values().map(|repeats| u64::from(repeats.count)).sum()
    }

    /// Puts back what could not be written, together with what was counted since.
    pub(super) fn put_back(&self, taken: TakenRepeats) {
        let mut known = self.known.lock();
        for (kind, mut repeats) in taken {
            let since = known.get(&kind).map_or(0, |since| since.count);
            repeats.count = repeats.count.saturating_add(since);
            known.insert(kind, repeats);
        }
    }
}
