//! The audit log: what stands in it, and that nobody changes it unnoticed. Other tests look at its rows as well; what is said of the log
//! itself belongs here.

mod chain;
pub(crate) mod log;
