//! What the author reads: one line for each thing that happens, on standard output.

use std::{
    fmt::{self, Debug, Write as _},
    io::Write as _,
};

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

/// Target of what plugins log.
const SAID: &str = "jackfield::plugin";

/// Says something under a label. Further lines are indented. Nobody who reads any more is no fault.
pub(super) fn say(label: &str, text: &str) {
    let _ = std::io::stdout().write_all(line(label, text).as_bytes());
}

/// Says why a version is not served.
pub(super) fn say_failure(failure: &Failure) {
    say("refused", &failure.to_string());
}

/// Control characters are shown and not obeyed: some of the words are a stranger's.
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

/// Reads along in the host's log and tells the author: the plugin's own words, each step, and what goes wrong.
pub fn reader<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> + Send + Sync {
    Reader.with_filter(interesting())
}

/// The host's own affairs are not the author's, unless they go wrong.
fn interesting<S>() -> impl Filter<S> + Send + Sync {
    let steps = [("jackfield_services::setup", LevelFilter::DEBUG), (SAID, LevelFilter::DEBUG)];
    // What comes of a reload is told by who has asked for it.
    let quiet = [
        ("jackfield", LevelFilter::WARN),
        ("jackfield_loader", LevelFilter::WARN),
        ("jackfield_services::reload", LevelFilter::OFF),
    ];
    Targets::new().with_targets(steps).with_targets(quiet)
}

struct Reader;

impl<S: Subscriber> Layer<S> for Reader {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        if let Some((label, text)) = told(level, target, &fields) {
            say(label, &text);
        }
    }
}

fn told(level: Level, target: &str, fields: &Fields) -> Option<(&'static str, String)> {
    match (fields.get("step.name"), target) {
        (_, SAID) => Some(("plugin", format!("{}: {}", level.as_str().to_lowercase(), fields.message))),
        (Some(step), _) => Some(("step", told_step(step, fields))),
        (None, _) if level <= Level::INFO => Some(("host", fields.to_string())),
        (None, _) => None,
    }
}

fn told_step(step: &str, fields: &Fields) -> String {
    let of = |name: &str| fields.get(name).unwrap_or_default();
    let mut text = format!("{} {step} → {}", of("provider.id"), fields.get("step.answer").unwrap_or("failed"));
    let _ = write!(text, ", {} ms", of("step.milliseconds"));
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

    fn put(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else {
            self.others.push((field.name(), value));
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
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
    fn a_line_is_a_label_and_indented_text_that_commands_no_terminal() {
        assert_eq!(line("plugin", "a\nb\u{1b}[2J\n"), "plugin   a\n         b\\u{1b}[2J\n");
    }

    #[test]
    fn steps_and_words_and_faults_are_told_and_debugging_of_the_host_is_not() {
        let fields = |others: &[(&'static str, &str)]| Fields {
            message: "words".to_owned(),
            others: others.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        };
        let step = [("provider.id", "acme"), ("step.name", "account"), ("step.milliseconds", "1.5")];
        let answered = fields(&[&step[..], &[("step.answer", "next")]].concat());
        let failed = fields(&[&step[..], &[("error", "no"), ("plugin.reason", "fault")]].concat());
        let pipeline = "jackfield_services::setup::visit";
        let told =
            |level, target, fields: &Fields| told(level, target, fields).map(|(label, text)| format!("{label} {text}"));
        let (debug, warn) = (Level::DEBUG, Level::WARN);
        assert_eq!(told(debug, pipeline, &answered).as_deref(), Some("step acme account → next, 1.5 ms"));
        assert_eq!(told(warn, pipeline, &failed).as_deref(), Some("step acme account → failed, 1.5 ms\nno (fault)"));
        assert_eq!(told(debug, SAID, &fields(&[])).as_deref(), Some("plugin debug: words"));
        assert_eq!(told(warn, pipeline, &fields(&[("a", "b")])).as_deref(), Some("host words a=b"));
        assert_eq!(told(debug, pipeline, &fields(&[])), None);
    }
}
