//! What is logged, and how it looks.
//!
//! Fields have dotted names (`provider.id`, `setup.id`); those of HTTP are OpenTelemetry's. Code
//! that logs keeps secrets out. The libraries that see raw requests are limited to `info`: at
//! finer levels some of them log headers and bodies.

use std::{
    io::{self, IsTerminal},
    str::FromStr,
};

use super::{
    escaping_writer::{Colors, EscapingWriter},
    log_output, panics,
};
use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, Registry,
    filter::{ParseError, Targets},
    layer::{Identity, SubscriberExt},
    util::SubscriberInitExt,
};

/// What to log and how.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// A level, or levels by target: `info,jackfield=debug`.
    pub levels: String,
    /// How a line looks.
    pub format: Format,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("neither `text` nor `json`".to_owned()),
        }
    }
}

/// Why logs cannot be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The levels cannot be read.
    #[error("--log {levels}: {error}; write a level (error, warn, info, debug, trace) or like `info,jackfield=debug`")]
    Levels {
        /// What was given.
        levels: String,
        /// What is wrong.
        error: String,
    },
    /// Logs were set up already.
    #[error("logs are set up twice")]
    Twice,
    /// Standard error cannot be used.
    #[error("standard error: {0}")]
    StandardError(#[from] io::Error),
}

/// Libraries that see cookies, queries, bodies or statements with values.
const GUARDED: [&str; 9] =
    ["axum", "diesel", "h2", "hyper", "hyper_util", "reqwest", "rustls", "tower_http", "tower_sessions_core"];

/// Sets up logs for the process.
///
/// # Errors
/// When the levels cannot be read, or logs were set up already.
pub fn init(telemetry: &Telemetry) -> Result<(), TelemetryError> {
    // Without this filter the spans of all libraries would be made. One of them between a request
    // and a task that it starts would take the request's place, and the request's id would be
    // missing in the task's lines.
    init_beside(Identity::new().with_filter(LevelFilter::OFF), telemetry)
}

/// The same, beside another reader of all events.
///
/// # Errors
/// As [`init`].
pub fn init_beside(reader: impl Layer<Registry> + Send + Sync, telemetry: &Telemetry) -> Result<(), TelemetryError> {
    let targets = targets(&telemetry.levels)?;
    let output = log_output::standard_error()?;
    panics::write_to(output.clone());
    let line = tracing_subscriber::fmt::layer();
    let layer = match telemetry.format {
        Format::Text => {
            let is_terminal = io::stderr().is_terminal();
            let colors = if is_terminal { Colors::Kept } else { Colors::Escaped };
            let line = line.with_writer(move || EscapingWriter::new(output.writer(), colors));
            line.with_ansi(is_terminal).with_filter(targets).boxed()
        }
        // JSON escapes by itself.
        Format::Json => {
            line.with_writer(move || output.writer()).json().flatten_event(true).with_filter(targets).boxed()
        }
    };
    tracing_subscriber::registry().with(reader).with(layer).try_init().map_err(|_| TelemetryError::Twice)
}

fn targets(levels: &str) -> Result<Targets, TelemetryError> {
    let refused = |error: String| TelemetryError::Levels { levels: levels.to_owned(), error };
    // A bare word that is not a level would be read as a target, and everything else would be
    // silent.
    if let Some(word) = levels.split(',').find(|part| !part.contains('=') && part.parse::<LevelFilter>().is_err()) {
        return Err(refused(format!("`{word}` is no level")));
    }
    let wanted: Targets = levels.parse().map_err(|error: ParseError| refused(error.to_string()))?;
    let general = wanted.default_level().unwrap_or(LevelFilter::OFF);
    let guarded = wanted.with_targets(GUARDED.map(|library| (library, general.min(LevelFilter::INFO))));
    // Their span says nothing and would be in every line. Their warnings are of cookies whose
    // session has ended, and of others that anybody can invent.
    let quiet = ["tower_sessions", "tower_sessions_core::session"];
    Ok(guarded.with_targets(quiet.map(|library| (library, general.min(LevelFilter::ERROR)))))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn levels_are_by_target_and_guarded_libraries_stay_at_info() {
        let targets = targets("warn,jackfield=trace").expect("good levels");
        assert!(targets.would_enable("jackfield_services::setup", &Level::TRACE));
        assert!(!targets.would_enable("somebody", &Level::INFO));
        let targets = super::targets("trace").expect("a good level");
        assert!(targets.would_enable("somebody", &Level::TRACE));
        assert!(!targets.would_enable("hyper::proto", &Level::DEBUG));
        assert!(!targets.would_enable("tower_sessions_core::session", &Level::WARN));
    }

    #[test]
    fn bad_levels_are_told() {
        for levels in ["jackfield=loud", "debgu", "info,debgu"] {
            let error = targets(levels).expect_err("there is no such level").to_string();
            assert!(error.starts_with(&format!("--log {levels}: ")), "{error}");
        }
    }
}
