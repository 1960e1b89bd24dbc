//! What the log says of a step, and of the integration's building, which is logged as one.

use std::{fmt, time::Instant};

use super::active::Setup;
use jackfield_loader::Provider;

/// A step that runs, for the log.
pub(super) struct StepLog<'a> {
    provider: &'a Provider,
    name: &'a str,
    /// Its place among the provider's steps; `None` for the building of the integration.
    number: Option<usize>,
    started: Instant,
}

impl<'a> StepLog<'a> {
    /// The step runs from now on.
    pub(super) fn start(provider: &'a Provider, name: &'a str, number: Option<usize>) -> Self {
        Self { provider, name, number, started: Instant::now() }
    }

    /// Logs an answer of this kind.
    pub(super) fn answered(&self, setup: &Setup, kind: &str, message: &str) {
        tracing::debug!(
            setup.id = setup.nonce,
            provider.id = self.provider.id(),
            step.name = self.name,
            step.answer = kind,
            step.duration = self.seconds(),
            "{message}"
        );
    }

    /// Logs why it failed: the reason in one word, and the error.
    pub(super) fn failed(&self, setup: &Setup, reason: &str, error: &dyn fmt::Display, message: &str) {
        tracing::warn!(
            setup.id = setup.nonce,
            provider.id = self.provider.id(),
            plugin.name = self.provider.plugin().name,
            plugin.reason = reason,
            setup.step = self.number,
            step.name = self.name,
            step.duration = self.seconds(),
            %error,
            "{message}"
        );
    }

    /// How long it has taken so far, to the microsecond.
    fn seconds(&self) -> f64 {
        (self.started.elapsed().as_secs_f64() * 1e6).round() / 1e6
    }
}
