//! Panics, as they stand in the log: a thread that panics waits for nobody who reads it.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    panic::{PanicHookInfo, set_hook},
    sync::Arc,
    thread,
    time::Duration,
};

use super::log_output::LogOutput;

/// How long a thread that panics waits until that is written. It may be the last of the process.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Writes panics to the log, where the standard library would wait for standard error.
pub(super) fn write_to(output: Arc<LogOutput>) {
    set_hook(Box::new(move |info| {
        output.put(words(info).as_bytes());
        output.flush(LAST_WORDS);
    }));
}

/// The words of the standard library.
fn words(info: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let name = thread.name().unwrap_or("<unnamed>").to_owned();
    let backtrace = Backtrace::capture();
    let backtrace = if backtrace.status() == BacktraceStatus::Captured {
        format!("stack backtrace:\n{backtrace}")
    } else {
        String::new()
    };
    format!("\nthread '{name}' {info}\n{backtrace}")
}
