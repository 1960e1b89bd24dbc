//! Texts for snapshots: what differs from run to run is replaced by its kind, such as `[time]`.

use std::sync::LazyLock;

use anyhow::{Context, Result};
use jackfield_test_support::host::Host;
use regex::Regex;
use serde_json::Value;

/// What differs, and its replacement. The order matters: a digest contains an id.
static DIFFERENCES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let differences = [
        (r"\b(INFO|WARN|ERROR|DEBUG) (?:request\{.*?\}: )?jackfield[\w:]*: ", "$1 "),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
        (r"/tmp/\.tmp\w{6}", "[folder]"),
        (r"/\S*/target/(debug/deps|tmp)/", "[target]/"),
        // Only root can become another user.
        (r"sandbox limits, user, ", "sandbox limits, "),
        // Kernels differ in how much of it they have.
        (r"\blandlock \d of \d\b", "landlock"),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
        (r"\b\d{4}-\d\d-\d\d \d\d?:\d\d(:\d\d)?(\.\d+)?( UTC| \+00:00:00)?", "[time]"),
        (r"\b\d{4}-\d\d-\d\d\b", "[date]"),
        (r"\b\d+\.\d+(s|ms|µs)\b", "[duration]"),
        (r"\bpid \d+", "pid [pid]"),
        (r"\.rs:\d+", ".rs:[line]"),
        (r"\b[0-9a-f]{64}\b", "[digest]"),
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "[id]"),
        (r"\b[0-9a-f]{16,32}\b", "[id]"),
        (r"\b[0-9a-f]{8}\b", "[key]"),
        (r"\b\d{7,}\b", "[number]"),
    ];
    differences.map(|(pattern, instead)| (regex(pattern), instead)).into()
});

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a regular expression")
}

/// Replaces ports, temporary folders, times, digests and ids, and removes the module of a log line.
pub(crate) fn redacted(text: &str) -> String {
    DIFFERENCES
        .iter()
        .fold(text.to_owned(), |text, (pattern, instead)| pattern.replace_all(&text, *instead).into_owned())
}

/// Replaces further patterns first.
pub(crate) fn redacted_with(text: &str, more: &[(&str, &str)]) -> String {
    let replaced =
        |text: String, (pattern, instead): &(&str, &str)| regex(pattern).replace_all(&text, *instead).into_owned();
    redacted(&more.iter().fold(text.to_owned(), replaced))
}

/// A log record, without its time and place in the code; what differs is replaced.
pub(crate) fn redacted_record(record: &Value) -> String {
    let mut record = record.clone();
    for (name, value) in record.as_object_mut().into_iter().flatten() {
        let instead = match name.as_str() {
            "setup.id" | "request.id" => "[id]",
            name if name.ends_with("duration") => "[duration]",
            _ => continue,
        };
        *value = instead.into();
    }
    if let Some(fields) = record.as_object_mut() {
        fields.retain(|name, _| !["span", "spans", "target", "timestamp"].contains(&name.as_str()));
    }
    redacted(&format!("{record:#}"))
}

/// The last line of a host's log that contains a text, without its time and place in the code.
pub(crate) fn log_line(host: &Host, text: &str) -> Result<String> {
    let log = host.log()?;
    let found = log.lines().rfind(|line| line.contains(text)).with_context(|| format!("{text:?} in\n{log}"))?;
    let without = [
        (r"^\S+Z +", ""),
        (r"request\{[^}]*\}: ?", ""),
        (r"setup\.id=\S+", "setup.id=[id]"),
        (r"duration=[\d.e-]+", "duration=[duration]"),
    ];
    Ok(redacted_with(found, &without).replace(&host.folder().display().to_string(), "[folder]"))
}

/// Why a provider's step, or the building of its integration, failed last, as a host's log has it.
pub(crate) fn step_error(host: &Host, provider: &str) -> Result<String> {
    let (log, provider) = (host.log()?, format!("provider.id=\"{provider}\""));
    let is_failure = |line: &&str| line.contains(&provider) && line.contains(" plugin.reason=");
    let failure = log.lines().rfind(is_failure).with_context(|| format!("{provider} in\n{log}"))?;
    let (_, error) = failure.split_once(" error=").with_context(|| failure.to_owned())?;
    Ok(redacted(error))
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    let text = "http://127.0.0.1:4711/x at 2026-01-02T03:04:05.678Z in /tmp/.tmpAbC123/data, 0123456789abcdef";
    assert_eq!(redacted(text), "http://127.0.0.1:[port]/x at [time] in [folder]/data, [id]");
    assert_eq!(redacted_with("it took 12 ms", &[(r"\d+ ms", "[duration]")]), "it took [duration]");
}
