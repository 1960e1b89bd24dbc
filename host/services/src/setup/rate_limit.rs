//! Limits how many setups a person can start without bringing them to an integration. A flood of
//! them would fill the database and be passed on to providers.
//!
//! Only members who may install can start any, so people are counted, and not addresses. In memory:
//! each host counts for itself.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use time::{Duration, OffsetDateTime};

use super::{active::LIFETIME, setup_owner::SetupOwner};
use jackfield_config::clock::Clock;

/// Most setups that a person can have started within [`LIFETIME`] and not brought to an
/// integration.
const MAX_STARTED: usize = 300;

/// The same of a connect session: it is for one account.
const MAX_STARTED_IN_SESSION: usize = 30;

const fn max_started(owner: SetupOwner) -> usize {
    match owner {
        SetupOwner::User(_) => MAX_STARTED,
        SetupOwner::ConnectSession(_) => MAX_STARTED_IN_SESSION,
    }
}

/// How often people who do not come back are forgotten.
const SWEEP: Duration = Duration::minutes(1);

#[derive(Clone)]
pub(super) struct RateLimit {
    clock: Clock,
    started: Arc<Mutex<Started>>,
}

/// When people have started setups.
struct Started {
    by_owner: HashMap<SetupOwner, VecDeque<OffsetDateTime>>,
    swept_at: OffsetDateTime,
}

impl RateLimit {
    pub(super) fn new(clock: Clock) -> Self {
        let started = Started { by_owner: HashMap::new(), swept_at: clock.now() };
        Self { clock, started: Arc::new(Mutex::new(started)) }
    }

    /// Lets a person start one more, or says how long they have to wait.
    pub(super) fn start(&self, owner: SetupOwner) -> Result<(), Duration> {
        let now = self.clock.now();
        let mut started = self.started.lock();
        started.sweep(now);
        let times = started.by_owner.entry(owner).or_default();
        times.retain(|at| now - *at < LIFETIME);
        match times.front() {
            Some(oldest) if times.len() >= max_started(owner) => Err(*oldest + LIFETIME - now),
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }

    /// One of a person's setups has become an integration.
    pub(super) fn finish(&self, owner: SetupOwner) {
        self.started.lock().by_owner.get_mut(&owner).and_then(VecDeque::pop_front);
    }
}

impl Started {
    /// Forgets people who have started nothing for a while. Not at each start: there can be many.
    fn sweep(&mut self, now: OffsetDateTime) {
        if now - self.swept_at < SWEEP {
            return;
        }
        self.swept_at = now;
        self.by_owner.retain(|_, times| {
            times.retain(|at| now - *at < LIFETIME);
            !times.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> SetupOwner {
        SetupOwner::User(id.parse().expect("an id"))
    }

    #[test]
    fn a_flood_of_setups_is_stopped_for_the_person_who_starts_it() {
        let clock = Clock::fixed(OffsetDateTime::UNIX_EPOCH);
        let limit = RateLimit::new(clock.clone());
        for _ in 0..MAX_STARTED {
            assert_eq!(limit.start(user("1")), Ok(()));
        }
        clock.advance(Duration::minutes(5));
        assert_eq!(limit.start(user("1")), Err(Duration::minutes(10)));
        assert_eq!(limit.start(user("2")), Ok(()), "others go on");
        limit.finish(user("1"));
        assert_eq!((limit.start(user("1")), limit.start(user("1")).is_err()), (Ok(()), true), "one for one");
        clock.advance(LIFETIME);
        assert_eq!(limit.start(user("1")), Ok(()));
        assert_eq!(limit.started.lock().by_owner.len(), 1, "a person who does not come back is forgotten");
    }

    #[test]
    fn a_connect_session_starts_fewer() {
        let limit = RateLimit::new(Clock::fixed(OffsetDateTime::UNIX_EPOCH));
        let session = SetupOwner::ConnectSession("1".parse().expect("an id"));
        let started = (0..MAX_STARTED).filter(|_| limit.start(session).is_ok()).count();
        assert_eq!((started, limit.start(user("1"))), (MAX_STARTED_IN_SESSION, Ok(())), "others go on");
    }

    #[test]
    fn a_person_who_finishes_each_setup_is_never_stopped() {
        let limit = RateLimit::new(Clock::fixed(OffsetDateTime::UNIX_EPOCH));
        for _ in 0..10 * MAX_STARTED {
            assert_eq!(limit.start(user("1")), Ok(()));
            limit.finish(user("1"));
        }
    }
}
