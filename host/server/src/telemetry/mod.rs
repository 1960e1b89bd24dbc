//! Structured logs, to standard error.
//!
//! `logs` sets them up, `escaping_writer` keeps each event one line.

mod escaping_writer;
mod logs;

pub use logs::{Format, Telemetry, TelemetryError, init, init_beside};
