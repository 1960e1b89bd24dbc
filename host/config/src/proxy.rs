//! `[proxy]`: calls to providers' APIs through the host.

use std::time::Duration;

use toml::de::DeTable;

use super::{diagnostic_collector::DiagnosticCollector, table_reader::TableReader};

/// `[proxy]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Largest body of a call.
    pub max_request_bytes: u64,
    /// A call ends if nothing moves in either direction for this long.
    pub idle_timeout: Duration,
    /// How many calls one organization may have in flight.
    pub max_calls: usize,
}

const GIB: u64 = 1 << 30;
/// Each call holds two connections, and those parts of its bodies that are on their way.
const DEFAULT_MAX_CALLS: usize = 256;

impl Proxy {
    pub(super) fn read<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) -> Self {
        let mut section = TableReader::section(collector, "proxy", root);
        let bytes = section.take("max-request-bytes").and_then(|value| value.number(0, 1024 * GIB));
        let seconds = section.take("idle-timeout").and_then(|value| value.number(1, 3600)).unwrap_or(60);
        let calls = section.take("max-calls").and_then(|value| value.number(1, 100_000));
        section.finish();
        Self {
            max_request_bytes: bytes.unwrap_or(GIB),
            idle_timeout: Duration::from_secs(seconds),
            max_calls: calls.and_then(|calls| calls.try_into().ok()).unwrap_or(DEFAULT_MAX_CALLS),
        }
    }
}
