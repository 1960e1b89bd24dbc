//! Whether the log is what was written, in batches: it may be larger than the memory.

use std::{fmt, str::FromStr};

use super::{Audit, Break, Filter, Head, out::hex};
use crate::store::{
    SealError, StoreResult,
    audit::{self, ChainKey},
};

/// How many rows are read at once.
const BATCH: i64 = 1000;

/// A head that was noted elsewhere: `N:HASH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    count: i64,
    hash: String,
}

/// What came of it: the head, or the first break.
pub type Verified = Result<Head, Break>;

type Keys = Vec<(i64, Result<ChainKey, SealError>)>;

impl Audit {
    /// Goes through the whole chain, and looks whether a noted head is on it. Answers the head, or where it is broken first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn verify(&self, noted: Option<&Noted>) -> StoreResult<Verified> {
        let sealer = self.store.sealer().clone();
        // The last row before the head: hosts append meanwhile, and the head only grows.
        let last = self.store.read(audit::last_id).await?;
        let (keys, (head, mac)) = self.store.read(move |c| Ok((audit::keys(c, &sealer)?, audit::head(c)?))).await?;
        let mut end = Head::empty();
        while end.count < head.count {
            let limit = BATCH.min(head.count - end.count);
            let rows = self.after(Filter::default(), end.count, limit).await?;
            if rows.is_empty() {
                return Ok(Err(Break::Missing(end.count + 1)));
            }
            for row in rows {
                let next = key_of(&keys, row.id).and_then(|key| end.followed_by(&row, key));
                end = match next {
                    Ok(next) => next,
                    Err(broken) => return Ok(Err(broken)),
                };
                if let Some(noted) = noted.filter(|noted| noted.count == end.count && noted.hash != hex(&end.hash)) {
                    return Ok(Err(Break::Other(noted.count)));
                }
            }
        }
        Ok(judge(&keys, head, &mac, &end, last, noted))
    }
}

fn key_of(keys: &Keys, id: i64) -> Result<&ChainKey, Break> {
    let found = keys.iter().rev().find(|(since, _)| *since <= id).ok_or(Break::NoKey(id))?;
    found.1.as_ref().map_err(|error| Break::Key { since: found.0, error: *error })
}

fn judge(keys: &Keys, head: Head, mac: &[u8], end: &Head, last: i64, noted: Option<&Noted>) -> Verified {
    if let Some(noted) = noted.filter(|noted| noted.count > head.count) {
        return Err(Break::Shorter { count: head.count, noted: noted.count });
    }
    if last > head.count {
        return Err(Break::Beyond(head.count + 1));
    }
    if *end != head {
        return Err(Break::End(end.count));
    }
    if head.count > 0 && !audit::is_head(key_of(keys, head.count)?, &head, mac) {
        return Err(Break::Head);
    }
    Ok(head)
}

impl FromStr for Noted {
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

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.count, hex(&self.hash))
    }
}
