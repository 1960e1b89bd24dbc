#![doc = include_str!("../GUIDE.md")]

/// Compiles the example that the registry shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod after_setup;
mod diff;
mod harness;
mod in_process;
mod mocks;
mod outcome;
mod real_host;

pub use harness::{Harness, NOW};
pub use outcome::{Outcome, OutcomeKind};
