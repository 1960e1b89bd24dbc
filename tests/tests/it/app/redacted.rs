//! Texts as snapshots show them: what differs from run to run is replaced by what it is.

use std::sync::LazyLock;

use anyhow::{Context, Result};
use jackfield_test_support::host::Host;
use regex::Regex;
use serde_json::Value;

/// What differs, and what stands there instead. The order matters: a digest contains an id.
static DIFFERENCES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let differences = [
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
        (r"/tmp/\.tmp\w{6}", "[folder]"),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
        (r"\b\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?( UTC)?", "[time]"),
        (r"\b[0-9a-f]{64}\b", "[digest]"),
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "[id]"),
        (r"\b[0-9a-f]{16,32}\b", "[id]"),
        (r"\b\d{7,}\b", "[number]"),
    ];
    differences.map(|(pattern, instead)| (regex(pattern), instead)).into()
});

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a regular expression")
}

/// Replaces ports, temporary folders, times, digests and ids.
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

/// JSON, indented.
pub(crate) fn redacted_json(value: &Value) -> String {
    redacted(&format!("{value:#}"))
}

/// A record of the log, without its time and place: what differs in it is replaced.
pub(crate) fn redacted_record(record: &Value) -> String {
    let mut record = record.clone();
    for (name, value) in record.as_object_mut().into_iter().flatten() {
        let instead = match name.as_str() {
            "setup.id" | "request.id" => "[id]",
            name if name.ends_with("milliseconds") || name.ends_with("duration") => "[duration]",
            _ => continue,
        };
        *value = instead.into();
    }
    if let Some(fields) = record.as_object_mut() {
        fields.retain(|name, _| !["span", "spans", "target", "timestamp"].contains(&name.as_str()));
    }
    redacted_with(&format!("{record:#}"), &[(r"\.rs:\d+", ".rs:[line]")])
}

/// The last line of a host's log with a text in it, without its time and place.
pub(crate) fn log_line(host: &Host, text: &str) -> Result<String> {
    let log = host.log()?;
    let found = log.lines().rfind(|line| line.contains(text)).with_context(|| format!("{text:?} in\n{log}"))?;
    let without = [
        (r"^\S+Z +", ""),
        (r"request\{[^}]*\}: ?", ""),
        (r" jackfield[\w:]*: ", " "),
        (r"setup\.id=\S+", "setup.id=[id]"),
        (r"(milliseconds|duration)=[\d.]+", "$1=[duration]"),
        (r"\.rs:\d+", ".rs:[line]"),
    ];
    Ok(redacted_with(found, &without).replace(&host.folder().display().to_string(), "[folder]"))
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    let text = "http://127.0.0.1:4711/x at 2026-01-02T03:04:05.678Z in /tmp/.tmpAbC123/data, 0123456789abcdef";
    assert_eq!(redacted(text), "http://127.0.0.1:[port]/x at [time] in [folder]/data, [id]");
    assert_eq!(redacted_with("took 12 ms", &[(r"\d+ ms", "[duration]")]), "took [duration]");
    assert_eq!(redacted_json(&serde_json::json!({"at": "2026-01-02T03:04:05Z"})), "{\n  \"at\": \"[time]\"\n}");
}
