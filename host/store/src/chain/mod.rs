//! The end of the audit log's chain, as this process and a transaction of it know it. Knows neither
//! entries nor rows: a transaction carries it, and the audit log is above transactions.

pub(crate) mod appended;
pub(crate) mod chain_key;
pub(crate) mod chain_memory;
