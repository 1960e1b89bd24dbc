//! Looks hard at one library or declared provider, for `plugin check` and `provider check`: what it
//! says of itself, and how it behaves when it gets input that nobody should send.
//!
//! A library runs in a worker like any other and reaches no network: the `fuzzer` answers its
//! requests. `plugin_under_test` asks it, and `behaviour` judges what was observed.
//! `rehearsal` takes it through an ordinary setup first, and `judge` holds what it brings against
//! the host's own limits. All of it has a `budget`.

mod behaviour;
mod budget;
mod fuzzer;
mod host_answers;
mod judge;
mod observation;
mod plugin_under_test;
mod problem;
mod rehearsal;
mod report;
mod runner;

pub use behaviour::Behaviour;
pub use plugin_under_test::CreateError;
pub use problem::{Finding, Problem};
pub use report::{CheckOptions, CheckReport, CheckedProvider};
pub use runner::{check, check_declared};
