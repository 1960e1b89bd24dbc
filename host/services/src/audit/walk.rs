//! A walk along the chain of the log, row by row. Knows no database.

use serde_json::Value;

use super::{
    Action, Break, Head, Row,
    verification::{NotedHead, Verification},
};
use jackfield_store::{
    SealError,
    audit::{self, ChainKey, Cut, Origin},
    hex,
};

/// Most breaks that are listed.
const LISTED: usize = 50;

/// The keys of the chain, each with the first row under it, or why it does not open.
type Keys = Vec<(i64, Result<ChainKey, SealError>)>;

/// A walk along the chain.
pub(super) struct Walk<'a> {
    keys: &'a Keys,
    noted: Option<&'a NotedHead>,
    /// Where it begins.
    cut: &'a Cut,
    /// The newest row that says up to where retention removes rows, with the hash of the last of
    /// them.
    announced: Option<(i64, String)>,
    end: Head,
    /// The hash that the last row should have, if it has another: the next row may follow either.
    expected: Option<Vec<u8>>,
    intact: i64,
    breaks: Vec<Break>,
    more: usize,
}

impl<'a> Walk<'a> {
    /// A walk that begins after what was removed.
    pub(super) fn new(keys: &'a Keys, noted: Option<&'a NotedHead>, cut: &'a Cut) -> Self {
        let (end, breaks) = (cut.start(), Vec::new());
        Self { keys, noted, cut, announced: None, end, expected: None, intact: 0, breaks, more: 0 }
    }

    pub(super) fn found(&mut self, broken: Break) {
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

    /// The next row, with where in the queue it was.
    pub(super) fn step(&mut self, row: &Row, origin: Option<Origin>) {
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
            Ok(key) if row.id == next => self.check(row, origin, key, expected.as_deref()),
            Ok(_) => {}
        }
        if self.noted.is_some_and(|noted| noted.count == row.id && noted.hash != hex(&row.hash)) {
            self.found(Break::Other(row.id));
        }
        self.end = Head { count: row.id, hash: row.hash.clone() };
    }

    fn check(&mut self, row: &Row, origin: Option<Origin>, key: &ChainKey, expected: Option<&[u8]>) {
        let hash = key.hash(&self.end.hash, row, origin);
        if row.hash != hash && expected.is_none_or(|before| row.hash != key.hash(before, row, origin)) {
            self.expected = Some(hash);
            return self.found(Break::Changed(row.id));
        }
        self.intact += 1;
        let is_settled = self.noted.is_some_and(|noted| noted.count >= row.id);
        if row.action == Action::AuditKey.as_str() && !is_settled {
            self.found(Break::Reported(row.id));
        }
        if row.action == Action::AuditCut.as_str() {
            self.announced = announced_by(row).or(self.announced.take());
        }
    }

    /// What was found up to a row, for a caller that wants no more.
    pub(super) fn broken_until(mut self, target: i64) -> Vec<Break> {
        if self.end.count < target {
            self.found(Break::Missing { from: self.end.count + 1, until: target });
        }
        self.breaks.retain(|broken| !matches!(broken, Break::Reported(_)));
        self.breaks
    }

    /// A row of the log must say that what is missing at its beginning was to be removed.
    fn check_announcement(&mut self) {
        let removed = self.cut.removed;
        // A row that cannot be verified is listed already.
        if removed <= 0 || key_of(self.keys, self.cut.entry).is_err() {
            return;
        }
        let (until, hash) = self.announced.take().unwrap_or_default();
        if until < removed {
            self.found(Break::NotAnnounced { from: until + 1, until: removed });
        } else if until == removed && hash != hex(&self.cut.hash) {
            self.found(Break::CutRecord(removed));
        }
    }

    /// A noted head that lies before the first row: of the last row that was removed, the hash is
    /// still known.
    fn check_noted(&mut self) -> bool {
        let removed = self.cut.removed;
        let Some(noted) = self.noted.filter(|noted| noted.count > 0 && noted.count <= removed) else { return false };
        if noted.count == removed && noted.hash != hex(&self.cut.hash) {
            self.found(Break::Other(removed));
        }
        noted.count < removed
    }

    pub(super) fn end(mut self, head: Head, mac: &[u8], last: i64, is_erased: bool) -> Verification {
        self.check_announcement();
        let is_noted_row_removed = self.check_noted();
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
        let cut = self.cut.clone();
        Verification { head, intact: self.intact, breaks: self.breaks, more: self.more, cut, is_noted_row_removed }
    }
}

fn key_of(keys: &Keys, id: i64) -> Result<&ChainKey, Break> {
    let (from, until) = (id, id);
    let found = keys.iter().rev().find(|(since, _)| *since <= id).ok_or(Break::NoKey { from, until })?;
    found.1.as_ref().map_err(|error| Break::Key { from, until, error: *error })
}

/// Up to which row a row of the log says that retention removes them, and that row's hash.
fn announced_by(row: &Row) -> Option<(i64, String)> {
    let detail: Value = serde_json::from_str(&row.detail).ok()?;
    Some((detail["until"].as_i64()?, detail["hash"].as_str()?.to_owned()))
}
