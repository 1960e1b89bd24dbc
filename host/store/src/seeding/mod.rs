//! Fills a database with rows as setups leave them, to see what growth costs. Not for hosts.
//!
//! Rows are written directly, in large transactions, and sealed as a host seals them: a host opens
//! what it finds.

mod bulk_rows;
mod seed;
mod seeded_row;
mod size;

pub use seed::seed;
pub use size::Seed;
