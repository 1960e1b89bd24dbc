//! Records log-ins and log-outs.
//!
//! A refused log-in costs a stranger nothing, so it must cost the log little: those of one account
//! from one address are one row in a minute, with a count; beyond some thirty kinds of them in a
//! minute the address is left out, and of accounts that do not exist the name as well. What is
//! beyond that is counted in one row. The entry is written after the answer: how long the answer
//! takes must not say whether the account exists.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::sync::Semaphore;
use tracing::Instrument;

use super::row_budget::RowBudget;
use crate::{
    audit::{Action, Actor, Audit, Entry, Outcome},
    request_source::RequestSource,
};
use jackfield_store::{Store, StoreResult, UserId, users};

/// How many refused log-ins are written at once. More are only counted.
const AT_ONCE: usize = 16;
/// How much of a name is kept that no account has: people type their password there.
const KEPT: usize = 3;
/// The longest e-mail address (RFC 5321 section 4.5.3.1): longer ones belong to nobody.
const LONGEST_ADDRESS: usize = 320;

/// Records log-ins and log-outs. Cheap to clone.
#[derive(Clone)]
pub struct LogInAudit {
    store: Store,
    audit: Audit,
    budget: Arc<RowBudget>,
    at_once: Arc<Semaphore>,
    /// Refused log-ins that were not written.
    unwritten: Arc<AtomicU32>,
}

impl LogInAudit {
    /// Records in this audit log.
    #[must_use]
    pub fn new(store: Store, audit: Audit) -> Self {
        Self {
            store,
            audit,
            budget: Arc::default(),
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            unwritten: Arc::default(),
        }
    }

    /// A user has the right password. To be called before they get a session.
    ///
    /// # Errors
    /// When the database fails. Then nobody must be logged in.
    pub async fn logged_in(&self, user: UserId, source: &RequestSource) -> StoreResult<()> {
        self.audit.write_all(vec![source.note(Entry::new(Action::LogIn, Actor::user(user)))]).await
    }

    /// A user logs out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn logged_out(&self, user: UserId, source: &RequestSource) -> StoreResult<()> {
        self.audit.write_all(vec![source.note(Entry::new(Action::LogOut, Actor::user(user)))]).await
    }

    /// A log-in was refused, for this reason. Returns at once.
    pub fn refused(&self, email: &str, reason: &'static str, source: RequestSource) {
        let Ok(permit) = self.at_once.clone().try_acquire_owned() else {
            self.unwritten.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let (audit, email) = (self.clone(), email.trim().chars().take(LONGEST_ADDRESS + 1).collect::<String>());
        let record = async move {
            if let Err(error) = audit.record(&email.to_lowercase(), reason, source).await
                && !error.is_logged()
            {
                tracing::warn!(%error, "a refused log-in could not be written into the audit log");
            }
            drop(permit);
        };
        tokio::spawn(record.in_current_span());
    }

    async fn record(&self, email: &str, reason: &'static str, source: RequestSource) -> StoreResult<()> {
        let account = self.account(email).await?;
        self.audit.count(self.entry(email, account, reason, source)).await?;
        let unwritten = self.unwritten.swap(0, Ordering::Relaxed);
        if unwritten > 0 {
            self.audit.count(refusal("unknown").count(unwritten)).await?;
        }
        Ok(())
    }

    /// The e-mail address, if it is an account's.
    async fn account(&self, email: &str) -> StoreResult<Option<String>> {
        if email.len() > LONGEST_ADDRESS || email.contains(char::is_control) {
            return Ok(None);
        }
        let email = email.to_owned();
        Ok(self.store.read(move |tx| users::by_email(tx, &email)).await?.map(|user| user.email))
    }

    fn entry(&self, email: &str, account: Option<String>, reason: &'static str, source: RequestSource) -> Entry {
        let kind = (account.clone(), source.address().map(network));
        let is_admitted = self.budget.admit(kind, self.store.now());
        let source = if is_admitted { source } else { source.without_address() };
        let entry = source.note(refusal(reason));
        match account {
            Some(account) => entry.detail("account", account),
            None if is_admitted => entry.detail("tried", cut(email)),
            None => entry,
        }
    }
}

fn refusal(reason: &str) -> Entry {
    Entry::new(Action::LogIn, Actor::visitor()).outcome(Outcome::Refused).detail("reason", reason)
}

/// One household has all addresses of an IPv6 network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// The first characters of what was typed.
fn cut(email: &str) -> String {
    email.chars().filter(|c| !c.is_control()).take(KEPT).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nobody_has_is_cut_and_an_ipv6_network_is_one_source() {
        assert_eq!(cut("correct horse battery"), "cor…");
        assert_eq!(cut("\u{1b}[2"), "[2…");
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(network(address("192.0.2.7")), address("192.0.2.7"));
        assert_eq!(network(address("2001:db8:1:2:3:4:5:6")), address("2001:db8:1:2::"));
    }
}
