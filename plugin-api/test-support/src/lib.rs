#![doc = include_str!("../README.md")]

mod beyond;
mod difference;
mod harness;
mod in_process;
mod outcome;
mod real_host;
mod script;

pub use harness::{Harness, NOW};
pub use outcome::{Came, Outcome};
