//! What a worker drops before its library runs, and which parts of that the kernel does not
//! support.

use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::{
    process::{
        DumpableBehavior, Resource, Rlimit, Signal, geteuid, set_dumpable_behavior, set_parent_process_death_signal,
        setrlimit,
    },
    thread::{set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};
use serde::{Deserialize, Serialize};

use super::syscall_filter;

/// What confines a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sandbox {
    /// The parts that hold, in the order they were entered.
    pub held: Vec<String>,
    /// The parts that this system does not support, each with why.
    pub missing: Vec<String>,
}

/// Seconds of processor time of a whole worker. Each call has its deadline besides.
const PROCESSOR_SECONDS: u64 = 3600;
const DESCRIPTORS: u64 = 16;
/// `nobody`, to whom no file should belong.
const NOBODY: u32 = 65534;

impl Sandbox {
    /// Enters what holds before the library is opened. `memory` is in MiB.
    pub(super) fn enter(memory: u64) -> Self {
        let mut sandbox = Self::default();
        sandbox.note("limits", limits(memory));
        if geteuid().is_root() {
            sandbox.note("user", leave_root());
        }
        sandbox.note("parent", set_parent_process_death_signal(Some(Signal::KILL)));
        sandbox.note("no-new-privileges", set_no_new_privs(true));
        sandbox.note("landlock", landlock());
        sandbox.note("seccomp", syscall_filter::loading());
        sandbox
    }

    /// Drops what only the opening of the library needed.
    pub(super) fn seal(&mut self) {
        // From now on it gets secrets: no other process, of the same user either, may look into it.
        self.note("undumpable", set_dumpable_behavior(DumpableBehavior::NotDumpable));
        self.note("seccomp-sealed", syscall_filter::answering());
    }

    fn note(&mut self, what: &str, result: Result<(), impl std::fmt::Display>) {
        match result {
            Ok(()) => self.held.push(what.to_owned()),
            Err(error) => self.missing.push(format!("{what} ({error})")),
        }
    }
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
    set_thread_res_uid(user, user, user)?;
    // The change makes `/proc/self` unreadable for this process, and the library's path is below
    // it.
    set_dumpable_behavior(DumpableBehavior::Dumpable)
}

/// No file, no TCP port, and no signal or abstract socket beyond the process: every right is
/// handled and none is granted. Older kernels know fewer rights; the system-call filter covers the
/// others.
fn landlock() -> Result<(), String> {
    let newest = ABI::V6;
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(newest))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(newest)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(newest)))
        .and_then(Ruleset::create)
        .map_err(|error| error.to_string())?;
    let status = ruleset.restrict_self().map_err(|error| error.to_string())?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err("the kernel does not have it, or has it switched off".to_owned()),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}
