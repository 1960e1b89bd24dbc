//! Refreshes a grant: one request to its provider, however many callers ask for it.

mod failure;
mod outcome;
mod refresh_attempt;
mod refresh_task;
mod refresher;
mod refusal_count;
mod token_request;
mod token_writer;

pub(super) use refresh_attempt::{LONGEST_WAIT, POLL_INTERVAL, RefreshAttempt};
pub(super) use refresher::Refresher;
