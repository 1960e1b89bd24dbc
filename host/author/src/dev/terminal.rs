//! What the author reads: a line for each event, on standard output.

use std::{
    fmt::{self, Debug, Write as _},
    io::Write as _,
};

use jackfield_loader::PLUGIN_LOG_TARGET;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::{Context, Filter},
    registry::LookupSpan,
};

use super::failure::Failure;

/// Prints a text under a label. Further lines are indented. A closed standard output is no error.
pub(super) fn print(label: &str, text: &str) {
    let _ = std::io::stdout().write_all(line(label, text).as_bytes());
}

/// Prints why a version is not served.
pub(super) fn print_failure(failure: &Failure) {
    print("refused", &failure.to_string());
}

/// Control characters are escaped, because some of the text is a stranger's.
fn line(label: &str, text: &str) -> String {
    let mut line = format!("{label:<9}");
    for c in text.trim_end().chars() {
        match c {
            '\n' => line.push_str("\n         "),
            c if c.is_control() && c != '\t' => line.extend(c.escape_debug()),
            c => line.push(c),
        }
    }
    line.push('\n');
    line
}

/// Reads the host's log and prints what the author wants to know: the plugin's own messages, each
/// step, and errors.
pub fn log_layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> + Send + Sync {
    LogLayer.with_filter(log_filter())
}

/// Of the host's own events, only warnings and errors.
fn log_filter<S>() -> impl Filter<S> + Send + Sync {
    let steps = [("jackfield_services::setup", LevelFilter::DEBUG), (PLUGIN_LOG_TARGET, LevelFilter::DEBUG)];
    // The dev server prints the result of a reload itself.
    let quiet = [
        ("jackfield", LevelFilter::WARN),
        ("jackfield_loader", LevelFilter::WARN),
        ("jackfield_services::reload", LevelFilter::OFF),
    ];
    Targets::new().with_targets(steps).with_targets(quiet)
}

struct LogLayer;

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        if let Some((label, text)) = entry_of(level, target, &fields) {
            print(label, &text);
        }
    }
}

/// An event as a label and a text, if the author wants to know of it.
fn entry_of(level: Level, target: &str, fields: &Fields) -> Option<(&'static str, String)> {
    match (fields.get("step.name"), target) {
        (_, PLUGIN_LOG_TARGET) => Some(("plugin", format!("{}: {}", level.as_str().to_lowercase(), fields.message))),
        (Some(step), _) => Some(("step", step_text(step, fields))),
        (None, _) if level <= Level::INFO => Some(("host", fields.to_string())),
        (None, _) => None,
    }
}

fn step_text(step: &str, fields: &Fields) -> String {
    let of = |name: &str| fields.get(name).unwrap_or_default();
    let mut text = format!("{} {step} → {}", of("provider.id"), fields.get("step.answer").unwrap_or("failed"));
    let seconds: f64 = of("step.duration").parse().unwrap_or_default();
    let _ = write!(text, ", {:.2} ms", seconds * 1000.0);
    if let Some(error) = fields.get("error") {
        let _ = write!(text, "\n{} ({})", error, of("plugin.reason"));
    }
    text
}

/// The fields of an event as text.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        self.others.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
    }

    fn record(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else {
            self.others.push((field.name(), value));
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record(field, format!("{value:?}"));
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.others.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_label_and_indented_text_without_control_characters() {
        assert_eq!(line("plugin", "a\nb\u{1b}[2J\n"), "plugin   a\n         b\\u{1b}[2J\n");
    }

    #[test]
    fn steps_plugin_messages_and_errors_are_shown_and_the_hosts_debug_events_are_not() {
        let fields = |others: &[(&'static str, &str)]| Fields {
            message: "words".to_owned(),
            others: others.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        };
        let step = [("provider.id", "acme"), ("step.name", "account"), ("step.duration", "0.0015")];
        let answered = fields(&[&step[..], &[("step.answer", "next")]].concat());
        let failed = fields(&[&step[..], &[("error", "no"), ("plugin.reason", "fault")]].concat());
        let setup = "jackfield_services::setup::visit";
        let entry = |level, target, fields: &Fields| {
            entry_of(level, target, fields).map(|(label, text)| format!("{label} {text}"))
        };
        let (debug, warn) = (Level::DEBUG, Level::WARN);
        assert_eq!(entry(debug, setup, &answered).as_deref(), Some("step acme account → next, 1.50 ms"));
        assert_eq!(entry(warn, setup, &failed).as_deref(), Some("step acme account → failed, 1.50 ms\nno (fault)"));
        assert_eq!(entry(debug, PLUGIN_LOG_TARGET, &fields(&[])).as_deref(), Some("plugin debug: words"));
        assert_eq!(entry(warn, setup, &fields(&[("a", "b")])).as_deref(), Some("host words a=b"));
        assert_eq!(entry(debug, setup, &fields(&[])), None);
    }
}
