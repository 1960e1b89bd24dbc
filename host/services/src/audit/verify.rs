//! Verifies the chain of the log, in batches, since it may be larger than memory. A break does not
//! end the walk: the rest is verified as well, so that one changed byte hides nothing else.

use std::{fmt, str::FromStr};

use super::{Action, Audit, Break, Filter, Head, Row};
use jackfield_store::{
    SealError, StoreResult,
    audit::{self, ChainKey},
    hex,
};

/// How many rows are read at once.
const BATCH: i64 = 1000;

/// Most breaks that are listed.
const LISTED: usize = 50;

/// A head that was noted elsewhere: `N:HASH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotedHead {
    count: i64,
    hash: String,
}

/// The result of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The head of the chain, as the database has it.
    pub head: Head,
    /// How many rows are intact and where they belong.
    pub intact: i64,
    /// Where the chain is broken; empty if it is intact.
    pub breaks: Vec<Break>,
    /// How many more breaks there are than are listed.
    pub more: usize,
}

type Keys = Vec<(i64, Result<ChainKey, SealError>)>;

impl Audit {
    /// Verifies the whole chain, and that a noted head is on it. Lists each part that is broken or
    /// cannot be verified.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn verify(&self, noted: Option<&NotedHead>) -> StoreResult<Verification> {
        // Read before the head: hosts append meanwhile, and the head only grows.
        let last = self.store.read(audit::last_id).await?;
        let (head, mac) = self.store.read(audit::head).await?;
        let keys = self.store.read(audit::keys).await?;
        let is_erased = self.store.read(audit::is_erased).await?;
        let mut walk = Walk::new(&keys, noted);
        // From the lowest id on: a row that does not belong to the chain may have any id.
        let mut seen = i64::MIN;
        loop {
            let rows = self.after(Filter::default(), seen, BATCH).await?;
            let Some(end) = rows.last().map(|row| row.id) else { break };
            rows.iter().filter(|row| row.id <= head.count).for_each(|row| walk.step(row));
            if end >= head.count {
                break;
            }
            seen = end;
        }
        Ok(walk.end(head, &mac, last, is_erased))
    }
}

/// A walk along the chain.
struct Walk<'a> {
    keys: &'a Keys,
    noted: Option<&'a NotedHead>,
    end: Head,
    /// The hash that the last row should have, if it has another: the next row may follow either.
    expected: Option<Vec<u8>>,
    intact: i64,
    breaks: Vec<Break>,
    more: usize,
}

impl<'a> Walk<'a> {
    fn new(keys: &'a Keys, noted: Option<&'a NotedHead>) -> Self {
        Self { keys, noted, end: Head::empty(), expected: None, intact: 0, breaks: Vec::new(), more: 0 }
    }

    fn found(&mut self, broken: Break) {
        let is_listed = self.breaks.len() < LISTED;
        match (self.breaks.last_mut(), &broken) {
            // One part of the chain is one break.
            (Some(Break::NoKey { until, .. }), Break::NoKey { from, .. }) if *until + 1 == *from => *until = *from,
            (Some(Break::Key { until, error, .. }), Break::Key { from, error: same, .. })
                if *until + 1 == *from && error == same =>
            {
                *until = *from;
            }
            _ if is_listed => self.breaks.push(broken),
            _ => self.more += 1,
        }
    }

    fn step(&mut self, row: &Row) {
        let next = self.end.count + 1;
        if row.id < next {
            return self.found(Break::Before(row.id));
        }
        if row.id > next {
            self.found(Break::Missing { from: next, until: row.id - 1 });
        }
        let expected = self.expected.take();
        match key_of(self.keys, row.id) {
            Err(unknown) => self.found(unknown),
            Ok(key) if row.id == next => self.check(row, key, expected.as_deref()),
            Ok(_) => {}
        }
        if self.noted.is_some_and(|noted| noted.count == row.id && noted.hash != hex(&row.hash)) {
            self.found(Break::Other(row.id));
        }
        self.end = Head { count: row.id, hash: row.hash.clone() };
    }

    fn check(&mut self, row: &Row, key: &ChainKey, expected: Option<&[u8]>) {
        let hash = key.hash(&self.end.hash, row);
        if row.hash != hash && expected.is_none_or(|before| row.hash != key.hash(before, row)) {
            self.expected = Some(hash);
            return self.found(Break::Changed(row.id));
        }
        self.intact += 1;
        let is_settled = self.noted.is_some_and(|noted| noted.count >= row.id);
        if row.action == Action::AuditKey.as_str() && !is_settled {
            self.found(Break::Reported(row.id));
        }
    }

    fn end(mut self, head: Head, mac: &[u8], last: i64, is_erased: bool) -> Verification {
        if self.end.count < head.count {
            self.found(Break::Missing { from: self.end.count + 1, until: head.count });
        } else if self.end.hash != head.hash && self.expected.as_ref() != Some(&head.hash) {
            self.found(Break::End(head.count));
        }
        if let Some(noted) = self.noted.filter(|noted| noted.count > head.count) {
            self.found(Break::Shorter { count: head.count, noted: noted.count });
        }
        if last > head.count {
            self.found(Break::Beyond(last));
        }
        // A missing key is listed already.
        if head.count > 0 && key_of(self.keys, head.count).is_ok_and(|key| !audit::is_head(key, &head, mac)) {
            self.found(Break::Head);
        }
        if is_erased {
            self.found(Break::Erased);
        }
        Verification { head, intact: self.intact, breaks: self.breaks, more: self.more }
    }
}

fn key_of(keys: &Keys, id: i64) -> Result<&ChainKey, Break> {
    let (from, until) = (id, id);
    let found = keys.iter().rev().find(|(since, _)| *since <= id).ok_or(Break::NoKey { from, until })?;
    found.1.as_ref().map_err(|error| Break::Key { from, until, error: *error })
}

impl Verification {
    /// Whether nothing was changed and nothing is missing.
    #[must_use]
    pub const fn is_intact(&self) -> bool {
        self.breaks.is_empty()
    }
}

/// Where the chain is broken, and how many rows are intact.
impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for broken in &self.breaks {
            write!(f, "\n  {broken}")?;
        }
        if self.more > 0 {
            write!(f, "\n  and {} more", self.more)?;
        }
        write!(f, "\n  verified: {} of {} rows are intact", self.intact, self.head.count)
    }
}

impl FromStr for NotedHead {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').and_then(|(count, hash)| Some((count.parse().ok()?, hash)));
        let is_hash = |hash: &str| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        match parts {
            Some((count, hash)) if is_hash(hash) => Ok(Self { count, hash: hash.to_ascii_lowercase() }),
            _ => Err("a number of rows, a colon and a hash, as `jackfield audit verify` prints".to_owned()),
        }
    }
}
