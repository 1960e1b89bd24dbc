//! `[tokens]`: how the tokens of integrations are kept fresh.

use std::time::Duration;

use toml::de::DeTable;

use super::{diagnostic_collector::DiagnosticCollector, table_reader::TableReader};

/// `[tokens]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// A grant that nobody has used for this long is refreshed, so that it does not lapse; `None`:
    /// never.
    pub keep_alive: Option<Duration>,
}

const SECONDS_PER_DAY: u64 = 24 * 3600;

impl Tokens {
    pub(super) fn read<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) -> Self {
        let mut section = TableReader::section(collector, "tokens", root);
        let days = section.take("keep-alive-days").and_then(|value| value.number(0, 365)).unwrap_or(7);
        section.finish();
        Self { keep_alive: (days > 0).then(|| Duration::from_secs(days * SECONDS_PER_DAY)) }
    }
}
