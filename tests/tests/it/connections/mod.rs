//! Connections and what surrounds the process: limits, ends, uploads that are refused, a log that
//! nobody reads.

mod limits;
mod unread_log;
mod uploads;
