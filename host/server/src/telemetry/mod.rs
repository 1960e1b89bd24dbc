//! Structured logs, to standard error.
//!
//! `logs` sets them up, `escaping_writer` keeps each event one line, `log_output` waits for no
//! reader, `panics` has panics written there too.

mod escaping_writer;
mod log_output;
mod logs;
mod panics;

pub use log_output::flush;
pub use logs::{Format, Telemetry, TelemetryError, init, init_beside};
