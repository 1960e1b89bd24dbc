//! What is printed: one line for each server, and how it compares with the first.

use std::{collections::BTreeMap, time::Duration};

use crate::{load::Measured, resources::Memory, wrk::WrkResult};

/// Bytes of a MiB.
const MIB: f64 = 1024.0 * 1024.0;
/// From here on, the load generator is what limits a figure.
const BUSY: f64 = 0.9;

/// The lines so far of one comparison.
#[derive(Default)]
pub(crate) struct Report {
    /// The first rate of each comparison, by its key.
    first: BTreeMap<String, f64>,
    by: Comparison,
}

/// What a line is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// The first line below the same title.
    #[default]
    Title,
    /// The first line of the same name, below whatever title.
    Name,
}

/// One line.
pub(crate) struct Row {
    name: String,
    /// In a second.
    rate: f64,
    text: String,
    memory: Option<(Memory, Memory)>,
}

impl Report {
    /// Begins a comparison.
    pub(crate) fn title(&mut self, what: &str) {
        if self.by == Comparison::Title {
            self.first.clear();
        }
        println!("\n{what}");
    }

    /// Begins comparisons of another kind.
    pub(crate) fn compare(&mut self, by: Comparison) {
        (self.first, self.by) = (BTreeMap::new(), by);
    }

    /// Prints a line, with its ratio to the first.
    pub(crate) fn row(&mut self, row: Row) {
        let memory = row.memory.map(|(before, after)| memory(before, after)).unwrap_or_default();
        let key = if self.by == Comparison::Name { row.name.clone() } else { String::new() };
        let first = self.first.get(&key);
        let ratio = first.map(|first| format!("  the first is {:.3} x this", first / row.rate));
        self.first.entry(key).or_insert(row.rate);
        println!("  {:<22} {}{memory}{}", row.name, row.text, ratio.unwrap_or_default());
    }
}

impl Row {
    /// The line of a load.
    pub(crate) fn of(name: &str, done: &Measured) -> Self {
        let Measured { rate, p50, p99, cpu, generator, turns, refused } = done;
        let (p50, p99, cpu) = (milliseconds(*p50), milliseconds(*p99), cpu * 1e6);
        let busy = if *generator > BUSY { "  THE LOAD GENERATOR IS THE LIMIT" } else { "" };
        let refused = if *refused > 0 { format!("  {refused} MORE REFUSED WITH 503") } else { String::new() };
        let text = format!(
            "{rate:>9.0}/s  p50 {p50:>8.2} ms  p99 {p99:>8.2} ms  CPU {cpu:>7.0} µs  \
             ({turns} turns, load generator {:.0} %){refused}{busy}",
            generator * 100.0
        );
        Self { name: name.to_owned(), rate: *rate, text, memory: None }
    }

    /// The line of a load by wrk, with the processor seconds of the server.
    pub(crate) fn of_wrk(name: &str, done: &WrkResult, cpu: f64) -> Self {
        let (rate, p50, p99) = (done.rate, milliseconds(done.p50), milliseconds(done.p99));
        let text = format!("{rate:>9.0}/s  p50 {p50:>8.2} ms  p99 {p99:>8.2} ms  CPU {:>7.0} µs  (wrk)", cpu * 1e6);
        Self { name: name.to_owned(), rate, text, memory: None }
    }

    /// The line of one GiB.
    pub(crate) fn of_stream(name: &str, direction: &str, seconds: f64, cpu: f64) -> Self {
        let rate = 1024.0 / seconds;
        let text = format!("{rate:>9.0} MiB/s  CPU {cpu:>5.2} s/GiB");
        Self { name: format!("{name} {direction}"), rate, text, memory: None }
    }

    /// Adds what the server's memory was before and after.
    pub(crate) fn memory(mut self, before: Memory, after: Memory) -> Self {
        self.memory = Some((before, after));
        self
    }
}

/// Bytes as MiB.
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB
}

fn memory(before: Memory, after: Memory) -> String {
    let (grown, own) = (mib(after.own) - mib(before.own), mib(after.own));
    let (workers, peak) = (mib(after.children), mib(after.peak));
    format!("  RSS {own:.0} MiB ({grown:+.0}, peak {peak:.0}), children {workers:.0}")
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Says that something is left out, so that nobody misses it.
pub(crate) fn skipped(what: &str) {
    println!("\n*** SKIPPED: {what}\n");
}
