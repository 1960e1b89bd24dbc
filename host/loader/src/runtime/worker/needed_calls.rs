//! The system calls that entering the sandbox makes, and which of them a filter of the service or
//! container forbids.
//!
//! systemd's `SystemCallFilter` and the filters of containers hold for the worker too. They refuse
//! a call with an error, or end the process. Each call is tried with arguments that change nothing.
#![allow(unsafe_code, reason = "system calls with numbers and null pointers, and a fork of a process with one thread")]

use std::ptr::null;

use libc::{c_long, syscall};
use rustix::{
    process::{Pid, WaitOptions, geteuid, waitpid},
    thread::set_no_new_privs,
};

/// The argument after the worker's command that makes it report and end.
pub(super) const REPORT: &str = "needed-calls";

struct Call {
    name: &'static str,
    attempt: fn() -> c_long,
    /// Whether only a host that runs as root makes it.
    is_of_root: bool,
}

const fn call(name: &'static str, attempt: fn() -> c_long) -> Call {
    Call { name, attempt, is_of_root: false }
}

const fn of_root(name: &'static str, attempt: fn() -> c_long) -> Call {
    Call { name, attempt, is_of_root: true }
}

const NOTHING: *const u8 = null();

/// Those that open the sandbox for files, ports and signals.
const LANDLOCK: [Call; 3] = [
    // SAFETY: it is asked for its version.
    call("landlock_create_ruleset", || unsafe { syscall(libc::SYS_landlock_create_ruleset, NOTHING, 0, 1) }),
    // SAFETY: there is no such descriptor.
    call("landlock_add_rule", || unsafe { syscall(libc::SYS_landlock_add_rule, -1, 0, NOTHING, 0) }),
    // SAFETY: there is no such descriptor.
    call("landlock_restrict_self", || unsafe { syscall(libc::SYS_landlock_restrict_self, -1, 0) }),
];

/// The others that a hardened service may lack.
const OTHERS: [Call; 9] = [
    // SAFETY: a null pointer is an error.
    call("capget", || unsafe { syscall(libc::SYS_capget, NOTHING, NOTHING) }),
    // SAFETY: a null pointer is an error.
    call("capset", || unsafe { syscall(libc::SYS_capset, NOTHING, NOTHING) }),
    // SAFETY: it reads a flag.
    call("prctl", || unsafe { syscall(libc::SYS_prctl, libc::PR_GET_DUMPABLE, 0, 0, 0, 0) }),
    // SAFETY: it neither sets nor reads a limit.
    call("prlimit64", || unsafe { syscall(libc::SYS_prlimit64, 0, libc::RLIMIT_CORE, NOTHING, NOTHING) }),
    // SAFETY: only the nearest of its own kind, a lower priority, is asked for.
    call("setpriority", || unsafe { syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, 19) }),
    // SAFETY: nothing is open so far up.
    call("close_range", || unsafe { syscall(libc::SYS_close_range, u32::MAX - 1, u32::MAX, 0) }),
    // SAFETY: more groups than there can be are an error.
    of_root("setgroups", || unsafe { syscall(libc::SYS_setgroups, i32::MAX, NOTHING) }),
    // SAFETY: nothing changes.
    of_root("setresgid", || unsafe { syscall(libc::SYS_setresgid, -1, -1, -1) }),
    // SAFETY: nothing changes.
    of_root("setresuid", || unsafe { syscall(libc::SYS_setresuid, -1, -1, -1) }),
];

impl Call {
    /// Whether it is refused with an error that it has for no arguments.
    fn is_refused(&self) -> bool {
        let result = (self.attempt)();
        result < 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
    }

    /// The same, or that it ends the process: it is tried in another one.
    fn is_forbidden(&self) -> bool {
        // SAFETY: this process has one thread, so that the other one can do anything.
        match unsafe { libc::fork() } {
            0 => {
                let status = i32::from(self.is_refused());
                // SAFETY: it ends the process, which has nothing to put in order.
                unsafe { libc::_exit(status) }
            }
            child => Pid::from_raw(child).is_some_and(|child| {
                let ended = waitpid(Some(child), WaitOptions::empty()).ok().flatten();
                ended.is_some_and(|(_, status)| status.exit_status() != Some(0))
            }),
        }
    }
}

/// Those of landlock that are refused in this process, which has no new privileges: without that,
/// landlock itself refuses them.
pub(super) fn refused_of_landlock() -> Vec<String> {
    LANDLOCK.iter().filter(|call| call.is_refused()).map(|call| call.name.to_owned()).collect()
}

/// Prints those that are forbidden. For a process of its own with one thread.
pub(super) fn report() {
    let _ = set_no_new_privs(true);
    let is_root = geteuid().is_root();
    let made = LANDLOCK.iter().chain(&OTHERS).filter(|call| is_root || !call.is_of_root);
    let forbidden: Vec<&str> = made.filter(|call| call.is_forbidden()).map(|call| call.name).collect();
    println!("{}", forbidden.join(" "));
}

/// What to write into the unit or the profile.
pub(crate) fn help(calls: &[String]) -> String {
    if calls.is_empty() {
        return "the kernel's log names the call (`journalctl -k -g SECCOMP`): allow it in the service's unit, or in \
                the container's seccomp profile"
            .to_owned();
    }
    format!(
        "add `SystemCallFilter={}` to the service's unit, below its other filters, as config/jackfield.service has it; \
         or allow these calls in the container's seccomp profile",
        calls.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_forbidden_here_and_the_unit_that_we_ship_allows_what_others_lack() {
        assert_eq!(refused_of_landlock(), Vec::<String>::new());
        let unit = include_str!("../../../../../config/jackfield.service");
        let allowed =
            unit.lines().find_map(|line| line.strip_prefix("SystemCallFilter=@system-service ")).expect("a filter");
        let needed: Vec<&str> = LANDLOCK.iter().map(|call| call.name).collect();
        assert_eq!(allowed.split(' ').collect::<Vec<_>>(), needed);
    }
}
