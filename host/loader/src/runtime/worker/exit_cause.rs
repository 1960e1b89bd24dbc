//! Why a worker has ended, from its exit status and the end of its standard error.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

use crate::runtime::transport::TransportError;

/// How much of a worker's standard error is kept, in bytes. The rest is read and dropped.
pub(super) const STDERR_TAIL_LENGTH: usize = 2048;

/// What Rust's standard library prints before it aborts for want of memory.
const OUT_OF_MEMORY: &str = "memory allocation of ";

const SIGNAL_NAMES: [(i32, &str); 9] = [
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGXCPU, "SIGXCPU"),
];

/// Why a worker has ended. `memory` is its limit, in MiB.
pub(super) fn exit_cause(status: ExitStatus, stderr: &str, memory: u64) -> TransportError {
    if stderr.contains(OUT_OF_MEMORY) {
        return TransportError::Memory(memory);
    }
    let message = message(stderr).map(|line| format!(": {line}")).unwrap_or_default();
    match (status.signal(), status.code()) {
        // The worker's own filters refuse and do not kill.
        (Some(libc::SIGSYS), _) => TransportError::Forbidden(Vec::new()),
        (Some(signal), _) => {
            let name = SIGNAL_NAMES.iter().find(|(number, _)| *number == signal).map_or("unnamed", |(_, name)| *name);
            TransportError::Signal(format!("signal {signal} ({name}){message}"))
        }
        (None, Some(code)) => TransportError::Exit(format!("code {code}{message}")),
        (None, None) => TransportError::Exit(format!("no status{message}")),
    }
}

/// The line that explains most: the last before the standard library's note that it aborts.
fn message(stderr: &str) -> Option<String> {
    let mut lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.rfind(|line| !line.starts_with("fatal runtime error") && !line.starts_with("note:"))?;
    Some(line.chars().filter(|c| !c.is_control()).take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_given_in_words() {
        let overflow = "\nthread 'main' (7) has overflowed its stack\nfatal runtime error: stack overflow, aborting\n";
        let cases = [
            (libc::SIGSEGV, "", "the worker was ended by signal 11 (SIGSEGV)"),
            (64, "", "the worker was ended by signal 64 (unnamed)"),
            (libc::SIGSYS, "", "a system-call filter of the service or container ends the worker (SIGSYS)"),
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
        for (status, stderr, message) in cases {
            assert_eq!(exit_cause(ExitStatus::from_raw(status), stderr, 512).to_string(), message);
        }
    }
}
