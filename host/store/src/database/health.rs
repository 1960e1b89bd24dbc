//! Whether the database can be used: one state for the whole host, one line in the log when it is
//! lost, and one when it is back.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::unavailable::{Reason, Unavailable};

/// How long requests wait for a database that was just lost: it may be restarting. After that they
/// are answered at once until it is back.
pub(crate) const GRACE: Duration = Duration::from_millis(3500);

/// How long somebody who has it store something waits for others who use it.
const GRACE_FOR_OTHERS: Duration = Duration::from_secs(20);

/// How often somebody who waits looks whether the reason is another.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long the word of a request counts that met a failure which the probe does not see.
const HOLD: Duration = Duration::from_secs(5);

/// The state of the database.
pub(crate) struct Health(watch::Sender<Option<Failure>>);

/// What is wrong.
#[derive(Clone)]
struct Failure {
    why: Unavailable,
    /// Since when it fails, for the log.
    since: Instant,
    /// Since when requests wait for it, where they do.
    total_since: Instant,
    /// A request has met it, so a probe that does not see it is not believed before that.
    held_until: Instant,
}

impl Default for Health {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Health {
    /// A request has met a failure. Returns whether it is the first to.
    pub(crate) fn met(&self, why: &Unavailable) -> bool {
        let held_until = Instant::now() + if is_seen_by_probe(why.reason) { Duration::ZERO } else { HOLD };
        self.fail(Failure::new(why, Instant::now(), held_until), |known| !known.is_total())
    }

    /// A probe or an attempt to connect has failed that began at a time. Returns whether it is the
    /// first to.
    pub(crate) fn failed(&self, why: &Unavailable, since: Instant) -> bool {
        self.fail(Failure::new(why, since, Instant::now()), |_| true)
    }

    fn fail(&self, failure: Failure, replaces: impl FnOnce(Reason) -> bool) -> bool {
        let mut is_first = false;
        self.0.send_if_modified(|state| {
            let Some(known) = state else {
                failure.log();
                *state = Some(failure);
                is_first = true;
                return true;
            };
            known.held_until = known.held_until.max(failure.held_until);
            let (before, now) = (known.why.reason, failure.why.reason);
            if before == now || !replaces(before) {
                return false;
            }
            tracing::debug!(error = %failure.why, "the database fails in another way");
            known.why = failure.why;
            if now.is_total() && !before.is_total() {
                known.total_since = failure.total_since;
            }
            // Those who wait may go on, if it can be read by now.
            before.is_total() && !now.is_total()
        });
        is_first
    }

    /// A probe has succeeded.
    pub(crate) fn recovered(&self) {
        self.0.send_if_modified(|state| {
            let Some(failure) = state.take_if(|failure| failure.held_until <= Instant::now()) else { return false };
            let seconds = failure.since.elapsed().as_secs_f64();
            tracing::info!(after = (seconds * 1e3).round() / 1e3, "the database is back");
            true
        });
    }

    /// What is wrong at present.
    pub(crate) fn failure(&self) -> Option<Unavailable> {
        self.0.borrow().as_ref().map(|failure| failure.why.clone())
    }

    /// Waits until requests can be served, or it is clear that they cannot be.
    ///
    /// # Errors
    /// When the database is lost for longer than requests wait.
    pub(crate) async fn usable(&self, deadline: Instant) -> Result<(), Unavailable> {
        if self.0.borrow().is_none() {
            return Ok(());
        }
        let mut state = self.0.subscribe();
        loop {
            let failure = state.borrow_and_update().clone().filter(|failure| failure.why.reason.is_total());
            let Some(Failure { why, total_since, .. }) = failure else { return Ok(()) };
            let until = deadline.min(total_since + grace(why.reason));
            if tokio::time::timeout_at(until.into(), state.changed()).await.is_err() {
                return Err(why);
            }
        }
    }
}

impl Health {
    /// Waits until the database fails for longer than somebody waits who has it store something.
    pub(crate) async fn lasting_failure(&self) -> Unavailable {
        let mut state = self.0.subscribe();
        loop {
            let failure = state.borrow_and_update().clone();
            let pause = match &failure {
                Some(Failure { why, since, .. }) => match grace(why.reason).checked_sub(since.elapsed()) {
                    Some(left) => left,
                    None => return why.clone(),
                },
                None => LOOK_AGAIN,
            };
            // The reason can change without a word.
            let _ = tokio::time::timeout(pause.min(LOOK_AGAIN), state.changed()).await;
        }
    }
}

/// A file that was deleted does not come back while somebody waits, and what another process or
/// another request holds mostly does.
const fn grace(reason: Reason) -> Duration {
    match reason {
        Reason::Replaced => Duration::ZERO,
        Reason::Locked | Reason::NoConnectionFree | Reason::Slow => GRACE_FOR_OTHERS,
        _ => GRACE,
    }
}

/// Whether the probe does what fails. On PostgreSQL it fills no new page of a file, and nowhere
/// does it read all of them.
const fn is_seen_by_probe(reason: Reason) -> bool {
    !matches!(reason, Reason::Full | Reason::DiskFailed | Reason::Malformed | Reason::Exhausted)
}

impl Failure {
    fn new(why: &Unavailable, since: Instant, held_until: Instant) -> Self {
        Self { why: why.clone(), since, total_since: since, held_until }
    }

    fn log(&self) {
        let message = if self.why.reason.is_total() { "the database is lost" } else { "the database fails" };
        tracing::error!(error = %self.why, help = self.why.reason.help(), "{message}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGO: Duration = Duration::from_secs(60);

    fn lost(reason: Reason) -> Unavailable {
        Unavailable::new(reason, "")
    }

    fn failing(reason: Reason, since: Instant) -> Health {
        let health = Health::default();
        assert!(health.failed(&lost(reason), since), "the first");
        health
    }

    #[tokio::test]
    async fn requests_wait_for_a_restart_and_not_for_a_lost_database() {
        let deadline = Instant::now() + AGO;
        let long_lost = failing(Reason::Unreachable, Instant::now() - AGO);
        assert_eq!(long_lost.usable(deadline).await, Err(lost(Reason::Unreachable)));
        let just_lost = failing(Reason::Unreachable, Instant::now());
        let (usable, ()) = tokio::join!(just_lost.usable(deadline), async { just_lost.recovered() });
        assert_eq!(usable, Ok(()), "it came back meanwhile");
        let readable = failing(Reason::ReadOnly, Instant::now() - AGO);
        assert_eq!(readable.usable(deadline).await, Ok(()), "some requests can be served");
    }

    #[test]
    fn what_a_probe_does_not_see_is_over_a_while_after_it_was_met() {
        for (reason, is_over) in [(Reason::Full, false), (Reason::Locked, true)] {
            let health = Health::default();
            assert!(health.met(&lost(reason)) && !health.met(&lost(reason)), "told once");
            health.recovered();
            assert_eq!(health.failure().is_none(), is_over, "{reason:?}");
        }
    }

    #[tokio::test]
    async fn who_stores_something_waits_longer_for_others_and_not_for_ever() {
        for (reason, ago, is_told) in [
            (Reason::ReadOnly, 1, false),
            (Reason::ReadOnly, 5, true),
            (Reason::Locked, 14, false),
            (Reason::Locked, 21, true),
            (Reason::Replaced, 0, true),
        ] {
            let health = failing(reason, Instant::now() - Duration::from_secs(ago));
            let told = tokio::time::timeout(Duration::from_millis(1), health.lasting_failure()).await;
            assert_eq!(told.is_ok(), is_told, "{reason:?} for {ago} s");
        }
    }

    #[tokio::test]
    async fn a_standby_can_be_read() {
        let health = failing(Reason::Unreachable, Instant::now() - AGO);
        assert!(!health.failed(&lost(Reason::ReadOnly), Instant::now()), "told before");
        assert_eq!(health.usable(Instant::now()).await, Ok(()));
        assert!(!health.met(&lost(Reason::Full)));
        assert_eq!(health.failure(), Some(lost(Reason::Full)));
    }
}
