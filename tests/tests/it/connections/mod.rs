//! Connections and what surrounds the process: limits, ends, compression, uploads that are refused,
//! a log that nobody reads.

mod compression;
mod limits;
mod unread_log;
mod uploads;
