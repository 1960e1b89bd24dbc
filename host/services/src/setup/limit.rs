//! Bounds what a person can have begun and not brought to an integration: a flood of set-ups would fill the database and be passed on to providers.
//! Only members who may install begin any, so people are counted, and not the addresses they come from. In memory: each host counts for itself.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use time::{Duration, OffsetDateTime};

use super::LIFETIME;
use jackfield_config::clock::Clock;
use jackfield_store::UserId;

/// Most set-ups that a person can have begun within [`LIFETIME`] without an integration to show for it.
const MOST: usize = 300;

pub(super) struct Limit {
    clock: Clock,
    begun: Mutex<HashMap<UserId, VecDeque<OffsetDateTime>>>,
}

impl Limit {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, begun: Mutex::default() }
    }

    /// Lets a person begin one more, or says how long they have to wait yet.
    pub(super) fn begin(&self, user: UserId) -> Result<(), Duration> {
        let now = self.clock.now();
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        // Everybody's that have expired, so that those who never come back are forgotten too.
        begun.retain(|_, times| {
            times.retain(|at| now - *at < LIFETIME);
            !times.is_empty()
        });
        let times = begun.entry(user).or_default();
        match times.front() {
            Some(oldest) if times.len() >= MOST => Err(*oldest + LIFETIME - now),
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }

    /// One of a person's has become an integration.
    pub(super) fn finished(&self, user: UserId) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.get_mut(&user).and_then(VecDeque::pop_front);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        id.parse().expect("an id")
    }

    #[test]
    fn a_flood_of_set_ups_is_stopped_for_who_makes_it_and_forgotten_with_them() {
        let clock = Clock::fixed(OffsetDateTime::UNIX_EPOCH);
        let limit = Limit::new(clock.clone());
        for _ in 0..MOST {
            assert_eq!(limit.begin(user("1")), Ok(()));
        }
        clock.advance(Duration::minutes(5));
        assert_eq!(limit.begin(user("1")), Err(Duration::minutes(10)));
        assert_eq!(limit.begin(user("2")), Ok(()), "others go on");
        limit.finished(user("1"));
        assert_eq!((limit.begin(user("1")), limit.begin(user("1")).is_err()), (Ok(()), true), "one for one");
        clock.advance(LIFETIME);
        assert_eq!(limit.begin(user("1")), Ok(()));
        assert_eq!(limit.begun.lock().expect("not poisoned").len(), 1, "who does not come back is forgotten");
    }

    #[test]
    fn who_finishes_what_they_begin_is_never_stopped() {
        let limit = Limit::new(Clock::fixed(OffsetDateTime::UNIX_EPOCH));
        for _ in 0..10 * MOST {
            assert_eq!(limit.begin(user("1")), Ok(()));
            limit.finished(user("1"));
        }
    }
}
