//! What one visit of a browser to a setup may cost. It runs to its end also if the browser has
//! gone, so it is bounded.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use jackfield_loader::{OverBudget, Provider, RequestBudget};
use thiserror::Error;

/// Most steps that run in one visit: those that answer `next` run at once.
pub const MAX_VISIT_STEPS: usize = 64;
/// Most requests that one visit sends.
pub const MAX_VISIT_REQUESTS: usize = 40;
/// Longest time that one visit takes.
const MAX_TIME: Duration = Duration::from_secs(120);

/// What one visit has cost so far.
pub(super) struct VisitCost {
    steps: AtomicUsize,
    requests: RequestBudget,
}

/// A visit has cost all that it may.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum TooCostly {
    /// It goes on from step to step.
    #[error("found {} steps in one visit, at most {MAX_VISIT_STEPS} are run", MAX_VISIT_STEPS + 1)]
    Steps,
    /// It takes too long.
    #[error(transparent)]
    Time(#[from] OverBudget),
}

impl TooCostly {
    /// What there was too much of in one word, for the log.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Time(_) => "deadline",
        }
    }
}

impl VisitCost {
    /// Of a visit that begins now.
    pub(super) fn begin() -> Self {
        Self { steps: AtomicUsize::new(0), requests: RequestBudget::new(MAX_VISIT_REQUESTS, MAX_TIME) }
    }

    /// The provider as this visit asks it.
    pub(super) fn bound(&self, provider: &Provider) -> Provider {
        provider.within(self.requests.clone())
    }

    /// Counts one more step.
    pub(super) fn count_step(&self) -> Result<(), TooCostly> {
        self.requests.time_left()?;
        let run = self.steps.fetch_add(1, Ordering::Relaxed);
        if run < MAX_VISIT_STEPS { Ok(()) } else { Err(TooCostly::Steps) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_steps_run_in_one_visit() {
        let cost = VisitCost::begin();
        assert_eq!(
            (0..MAX_VISIT_STEPS).map(|_| cost.count_step()).collect::<Result<Vec<()>, _>>().map(|run| run.len()),
            Ok(64)
        );
        let error = cost.count_step().expect_err("one too many");
        assert_eq!(error.to_string(), "found 65 steps in one visit, at most 64 are run");
    }
}
