//! The command line of Jackfield. What it opens are packages beside this one.

mod allocator;
mod cli;

pub use cli::{main, main_from};
