//! What a worker drops before its library runs, and which parts of that the kernel does not
//! support.

use std::{
    fs, io,
    os::fd::{AsRawFd, BorrowedFd},
};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetStatus, Scope,
};
use rustix::{
    process::{
        DumpableBehavior, Resource, Rlimit, Signal, geteuid, nice, set_dumpable_behavior,
        set_parent_process_death_signal, setrlimit,
    },
    thread::{set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};
use serde::{Deserialize, Serialize};

use super::{capabilities, descriptors, needed_calls, syscall_filter};

/// What confines a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sandbox {
    /// The parts that hold, in the order they were entered.
    pub held: Vec<String>,
    /// The parts that this system does not support, each with why.
    pub missing: Vec<String>,
    /// The system calls that a filter of the service or container forbids.
    pub forbidden: Vec<String>,
}

/// Seconds of processor time of a whole worker. Each call has its deadline besides.
const PROCESSOR_SECONDS: u64 = 3600;
const DESCRIPTORS: u64 = 16;
/// `nobody`, to whom no file should belong.
const NOBODY: u32 = 65534;
/// How much sooner than its host a worker is ended where memory runs out; of 1000.
const OUT_OF_MEMORY_SCORE: i32 = 500;
/// How much later than its host it gets a processor; of 19.
const NICENESS: i32 = 5;
/// The newest landlock whose rights are used.
const LANDLOCK: ABI = ABI::V6;

impl Sandbox {
    /// Enters what holds before the library is opened. `memory` is in MiB, `hang_up` the pipe that
    /// closes with the host.
    pub(super) fn enter(memory: u64, hang_up: BorrowedFd<'_>) -> Self {
        let mut sandbox = Self::default();
        yield_to_the_host();
        sandbox.note("limits", limits(memory));
        let bounding_set = capabilities::drop_bounding_set();
        if geteuid().is_root() {
            sandbox.note("user", leave_root());
        }
        sandbox.note("capabilities", bounding_set.and_then(|()| capabilities::drop_all()));
        // Any of the changes above makes `/proc/self` unreadable for this process, and the
        // library's path is below it.
        let _ = set_dumpable_behavior(DumpableBehavior::Dumpable);
        sandbox.note("parent", end_with_the_host(hang_up));
        sandbox.note("no-new-privileges", set_no_new_privs(true));
        match landlock() {
            Ok(version) => sandbox.held.push(format!("landlock {version} of {}", LANDLOCK as i32)),
            Err(error) => sandbox.lacks_landlock(&error),
        }
        sandbox.note("seccomp", syscall_filter::loading());
        sandbox
    }

    /// What the unit of a service forbids is not what the kernel lacks.
    fn lacks_landlock(&mut self, error: &str) {
        let forbidden = needed_calls::refused_of_landlock().join(", ");
        let why = if forbidden.is_empty() { error } else { &format!("a system-call filter forbids {forbidden}") };
        self.missing.push(format!("landlock ({why})"));
    }

    /// Drops what only the opening of the library needed. `hang_up` cannot be closed any more.
    pub(super) fn seal(&mut self, hang_up: BorrowedFd<'_>) {
        self.note("seccomp-sealed", syscall_filter::answering(hang_up.as_raw_fd()));
    }

    pub(super) fn note(&mut self, what: &str, result: Result<(), impl std::fmt::Display>) {
        match result {
            Ok(()) => self.held.push(what.to_owned()),
            Err(error) => self.missing.push(format!("{what} ({error})")),
        }
    }
}

/// Not a part of the sandbox: a system that does not allow it holds a worker as well.
fn yield_to_the_host() {
    let _ = nice(NICENESS);
    let file = "/proc/self/oom_score_adj";
    let score = fs::read_to_string(file).ok().and_then(|score| score.trim().parse::<i32>().ok()).unwrap_or_default();
    let _ = fs::write(file, (score + OUT_OF_MEMORY_SCORE).min(1000).to_string());
}

fn limits(memory: u64) -> rustix::io::Result<()> {
    let limit = |resource, most: u64| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    limit(Resource::As, memory << 20)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Nofile, DESCRIPTORS)?;
    limit(Resource::Memlock, 0)?;
    limit(Resource::Cpu, PROCESSOR_SECONDS)
}

/// The process has one thread, so a change of the thread is a change of the process.
fn leave_root() -> rustix::io::Result<()> {
    let (user, group) = (rustix::process::Uid::from_raw(NOBODY), rustix::process::Gid::from_raw(NOBODY));
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)
}

/// Two ways, because a host that lacks the right to signal other users cannot use the first. The
/// library can take back neither: it gets no `prctl` and no `fcntl`, and cannot close the pipe.
fn end_with_the_host(hang_up: BorrowedFd<'_>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    descriptors::end_at_hang_up(hang_up)
}

/// Keeps other processes, of the same user too, from looking into this one. From now on it gets
/// secrets.
pub(super) fn hide() -> rustix::io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// No file, no TCP port, and no signal or abstract socket beyond the process: every right is
/// handled and none is granted. Older kernels know fewer rights; the system-call filter covers the
/// others. Results in the version that holds.
fn landlock() -> Result<i32, String> {
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(LANDLOCK)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(LANDLOCK)))
        .and_then(Ruleset::create)
        .map_err(|error| error.to_string())?;
    let status = ruleset.restrict_self().map_err(|error| error.to_string())?;
    version(&status).ok_or_else(|| "the kernel does not have it, or has it switched off".to_owned())
}

fn version(status: &RestrictionStatus) -> Option<i32> {
    match (&status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => None,
        (_, LandlockStatus::Available { effective_abi, .. }) => Some((effective_abi as i32).min(LANDLOCK as i32)),
        _ => None,
    }
}
