//! `[inbox]`: what services send of their own accord.

use std::time::Duration;

use toml::de::DeTable;

use super::{config_value::ConfigValue, diagnostic_collector::DiagnosticCollector, span, table_reader::TableReader};

/// `[inbox]`. Each limit is for each provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inbox {
    /// How long a received event is kept.
    pub keep: Duration,
    /// Most events that are kept.
    pub max_events: u32,
    /// Largest body of a call.
    pub max_bytes: usize,
    /// Most events in a minute, on each host.
    pub max_per_minute: u32,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// As long as programs are told of an event, and a little more: the body must still be there.
const SHORTEST: Duration = Duration::from_secs(4 * DAY.as_secs());
const LONGEST: Duration = Duration::from_secs(90 * DAY.as_secs());
/// What the host takes of any body but a proxied one.
const LARGEST_BODY: u64 = 256 * 1024;

impl Default for Inbox {
    fn default() -> Self {
        let keep = Duration::from_secs(7 * DAY.as_secs());
        Self { keep, max_events: 10_000, max_bytes: 256 * 1024, max_per_minute: 6000 }
    }
}

impl Inbox {
    pub(super) fn read<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) -> Self {
        let mut section = TableReader::section(collector, "inbox", root);
        let default = Self::default();
        let keep = section.take("keep").and_then(|value| keep(&value));
        let events = section.take("max-events").and_then(|value| value.number(1, 1_000_000));
        let bytes = section.take("max-bytes").and_then(|value| value.number(1024, LARGEST_BODY));
        let rate = section.take("max-per-minute").and_then(|value| value.number(1, 1_000_000));
        section.finish();
        Self {
            keep: keep.unwrap_or(default.keep),
            max_events: events.and_then(|events| events.try_into().ok()).unwrap_or(default.max_events),
            max_bytes: bytes.and_then(|bytes| bytes.try_into().ok()).unwrap_or(default.max_bytes),
            max_per_minute: rate.and_then(|rate| rate.try_into().ok()).unwrap_or(default.max_per_minute),
        }
    }
}

fn keep(value: &ConfigValue<'_>) -> Option<Duration> {
    let span = span::parse(&value.text()?).filter(|span| (SHORTEST..=LONGEST).contains(span));
    if span.is_none() {
        value.report("not a time from four days to ninety", "write it like \"7d\" or \"2w\"");
    }
    span
}
