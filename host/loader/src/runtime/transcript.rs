//! The requests of one question and what came back, so that the question can be repeated.
//!
//! A plugin does no I/O of its own: the same question with the same inputs at the same times is the
//! same conversation. If its worker ends for another question's sake, this one is repeated in the
//! next worker.

use jackfield_config::clock::Clock;
use jackfield_plugin_abi::envelope::{HttpRequest, Input};

/// What a plugin waits for.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum HostRequest {
    Http(HttpRequest),
    Token { grant: String, subject: String },
}

/// What a plugin got, and when.
#[derive(Clone)]
pub(super) struct TimedInput {
    pub(super) input: Input,
    /// Seconds since 1970-01-01 UTC.
    pub(super) now: u64,
}

/// The conversation about one question, so far.
pub(crate) struct Transcript {
    clock: Clock,
    asked_at: u64,
    entries: Vec<(HostRequest, TimedInput)>,
}

/// What a transcript has at some place.
pub(super) enum Recorded<'a> {
    /// The same request, and what came back.
    Same(&'a TimedInput),
    /// Another request.
    Other,
    /// Nothing yet.
    Nothing,
}

impl Transcript {
    /// Of a question that is asked now.
    pub(crate) fn begin(clock: Clock) -> Self {
        Self { asked_at: seconds(&clock), clock, entries: Vec::new() }
    }

    /// When the question was asked, in seconds since 1970-01-01 UTC.
    pub(super) const fn asked_at(&self) -> u64 {
        self.asked_at
    }

    /// What was recorded for the request of that number.
    pub(super) fn recorded(&self, at: usize, request: &HostRequest) -> Recorded<'_> {
        match self.entries.get(at) {
            Some((before, input)) if before == request => Recorded::Same(input),
            Some(_) => Recorded::Other,
            None => Recorded::Nothing,
        }
    }

    /// Records what came back now.
    pub(super) fn record(&mut self, request: HostRequest, input: Input) -> TimedInput {
        let timed = TimedInput { input, now: seconds(&self.clock) };
        self.entries.push((request, timed.clone()));
        timed
    }
}

fn seconds(clock: &Clock) -> u64 {
    u64::try_from(clock.now().unix_timestamp()).unwrap_or_default()
}
