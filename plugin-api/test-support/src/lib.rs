#![doc = include_str!("../GUIDE.md")]

/// Compiles the example that the registry shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod beyond;
mod difference;
mod harness;
mod in_process;
mod outcome;
mod real_host;
mod script;

pub use harness::{Harness, NOW};
pub use outcome::{Came, Outcome};
