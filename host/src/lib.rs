//! The command line of Jackfield. The rooms it opens are packages beside this one.

mod cli;

pub use cli::{main, main_from};
