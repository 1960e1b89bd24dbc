//! What reaches the log because of a plugin: its own lines, and the host's about its requests.
//!
//! A stranger's call to a webhook has a plugin log too. So the lines of one conversation are
//! limited, and those of one plugin in a row.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use jackfield_limits::TokenBucket;
use jackfield_plugin_abi::envelope::{LogLevel, LogLine};
use tracing::Level;

use super::redactor::Redactor;
use crate::border::escaped_words;

/// Log target of a plugin's own messages, so that they can be filtered apart from the host's.
pub const PLUGIN_LOG_TARGET: &str = "jackfield::plugin";

/// Most lines of one conversation: a question with its requests and replies.
pub const MOST_LOG_LINES: usize = 20;
/// Most lines of one plugin in a row, and how long it waits for each further one.
const BURST: u32 = 200;
const INTERVAL: Duration = Duration::from_millis(200);

/// The lines that one plugin may log. Clones count together.
#[derive(Clone)]
pub(crate) struct PluginLog(Arc<TokenBucket>);

/// The log of one conversation.
#[derive(Clone)]
pub(super) struct ConversationLog {
    plugin: String,
    lines: Arc<AtomicUsize>,
    of_plugin: PluginLog,
}

impl Default for PluginLog {
    fn default() -> Self {
        Self(Arc::new(TokenBucket::new(BURST, INTERVAL)))
    }
}

impl PluginLog {
    /// For the next conversation.
    pub(super) fn begin(&self, plugin: &str) -> ConversationLog {
        ConversationLog { plugin: plugin.to_owned(), lines: Arc::default(), of_plugin: self.clone() }
    }
}

impl ConversationLog {
    /// Logs what the author has logged.
    pub(super) fn write(&self, lines: &[LogLine], redactor: &Redactor) {
        for line in lines.iter().filter(|line| is_wanted(line.level)) {
            if !self.takes_line() {
                return;
            }
            let (plugin, message) = (&*self.plugin, escaped_words(&redactor.redact(&line.message)));
            match line.level {
                LogLevel::Debug => tracing::debug!(target: PLUGIN_LOG_TARGET, { plugin.name = plugin }, "{message}"),
                LogLevel::Info => tracing::info!(target: PLUGIN_LOG_TARGET, { plugin.name = plugin }, "{message}"),
                LogLevel::Warn => tracing::warn!(target: PLUGIN_LOG_TARGET, { plugin.name = plugin }, "{message}"),
            }
        }
    }

    /// Whether one more line may be logged. The first that may not is told.
    pub(super) fn takes_line(&self) -> bool {
        let line = self.lines.fetch_add(1, Ordering::Relaxed);
        if line > MOST_LOG_LINES {
            return false;
        }
        let Some(refused) = self.of_plugin.0.take(Instant::now()) else { return false };
        let plugin = &self.plugin;
        if refused > 0 {
            tracing::warn!(plugin.name = plugin, lines = refused, "the plugin logged more in a row than is kept");
        }
        if line == MOST_LOG_LINES {
            tracing::warn!(plugin.name = plugin, limit = MOST_LOG_LINES, "the plugin logged more than is kept");
        }
        line < MOST_LOG_LINES
    }
}

/// Lines that nobody reads take no room from others.
fn is_wanted(level: LogLevel) -> bool {
    match level {
        LogLevel::Debug => tracing::enabled!(target: PLUGIN_LOG_TARGET, Level::DEBUG),
        LogLevel::Info => tracing::enabled!(target: PLUGIN_LOG_TARGET, Level::INFO),
        LogLevel::Warn => tracing::enabled!(target: PLUGIN_LOG_TARGET, Level::WARN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_has_so_many_lines_and_a_plugin_so_many_in_a_row() {
        let log = PluginLog::default();
        let lines_of = |conversation: &ConversationLog| (0..100).filter(|_| conversation.takes_line()).count();
        assert_eq!(lines_of(&log.begin("acme")), MOST_LOG_LINES);
        let all: usize = (0..100).map(|_| lines_of(&log.begin("acme"))).sum();
        assert!(all < BURST as usize, "{all}");
        assert_eq!(lines_of(&PluginLog::default().begin("other")), MOST_LOG_LINES, "others are not held up");
    }
}
