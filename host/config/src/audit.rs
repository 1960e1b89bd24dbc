//! `[audit]`: how long the audit log is kept.

use std::time::Duration;

use toml::de::DeTable;

use super::{config_value::ConfigValue, diagnostic_collector::DiagnosticCollector, span, table_reader::TableReader};

/// `[audit]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audit {
    /// How long entries are kept; `None`: for ever.
    pub keep: Option<Duration>,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A year, and the month in which its report is written.
const DEFAULT: Duration = Duration::from_secs(400 * DAY.as_secs());
/// What is shorter is a slip: nobody would find out what happened over a holiday.
const SHORTEST: Duration = Duration::from_secs(30 * DAY.as_secs());

const HELP: &str = "write a time of thirty days or more, like \"400d\" or \"52w\", or \"forever\"";

impl Audit {
    pub(super) fn read<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) -> Self {
        let mut section = TableReader::section(collector, "audit", root);
        let keep = section.take("keep").and_then(|value| keep(&value)).unwrap_or(Some(DEFAULT));
        section.finish();
        Self { keep }
    }
}

fn keep(value: &ConfigValue<'_>) -> Option<Option<Duration>> {
    let text = value.text()?;
    if text == "forever" {
        return Some(None);
    }
    match span::parse(&text) {
        Some(span) if span >= SHORTEST => Some(Some(span)),
        Some(_) => {
            value.report("too short: what happened must still be known when somebody asks", HELP);
            None
        }
        None => {
            value.report("not a time", HELP);
            None
        }
    }
}
