//! Why a worker has ended, from what the system and its last words say.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

use crate::PortError;

/// Longest last words that are kept, in bytes; the rest of what a worker says is read and dropped.
pub(super) const LONGEST_WORDS: usize = 2048;

/// What Rust's standard library says before it gives up for want of memory.
const OUT_OF_MEMORY: &str = "memory allocation of ";

const NAMES: [(i32, &str); 10] = [
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGSYS, "SIGSYS"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGXCPU, "SIGXCPU"),
];

/// The cause of a worker's end. `memory` is what it had, in MiB.
pub(super) fn cause(status: ExitStatus, words: &str, memory: u64) -> PortError {
    if words.contains(OUT_OF_MEMORY) {
        return PortError::Memory(memory);
    }
    let said = last_line(words).map(|line| format!(": {line}")).unwrap_or_default();
    match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let name = NAMES.iter().find(|(number, _)| *number == signal).map_or("unnamed", |(_, name)| *name);
            PortError::Signal(format!("signal {signal} ({name}){said}"))
        }
        (None, Some(code)) => PortError::Exit(format!("code {code}{said}")),
        (None, None) => PortError::Exit(format!("no status{said}")),
    }
}

/// The line that says most; after it the standard library only says that it aborts.
fn last_line(words: &str) -> Option<String> {
    let mut lines = words.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.rfind(|line| !line.starts_with("fatal runtime error") && !line.starts_with("note:"))?;
    Some(line.chars().filter(|c| !c.is_control()).take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_told_in_words() {
        let overflow = "\nthread 'main' (7) has overflowed its stack\nfatal runtime error: stack overflow, aborting\n";
        let cases = [
            (libc::SIGSEGV, "", "the worker was ended by signal 11 (SIGSEGV)"),
            (64, "", "the worker was ended by signal 64 (unnamed)"),
            (
                libc::SIGABRT,
                overflow,
                "the worker was ended by signal 6 (SIGABRT): thread 'main' (7) has overflowed its stack",
            ),
            (
                libc::SIGABRT,
                "memory allocation of 99 bytes failed\n",
                "the worker has used up its 512 MiB of memory ([plugins] memory)",
            ),
            (0, "", "the worker has exited with code 0"),
            (3 << 8, "bye\u{1b}[31m\n", "the worker has exited with code 3: bye[31m"),
        ];
        for (status, words, told) in cases {
            assert_eq!(cause(ExitStatus::from_raw(status), words, 512).to_string(), told);
        }
    }
}
