//! Runs a program as on a kernel, as a user or in a unit of systemd that lacks something:
//! `lesser-kernel landlock|seccomp|close_range|unit-that-kills|unit-that-refuses|root|most-of-root
//! PROGRAM ARGUMENT…`.
//!
//! A filter answers as a real kernel without it would. It stays on for the program and all that it
//! starts. Without root, the program runs as an ordinary user; without most of root, as one with
//! some capabilities, as systemd's `AmbientCapabilities` gives them.

use std::{collections::BTreeMap, os::unix::process::CommandExt, process::Command};

use anyhow::{Context, Result, bail};
use rustix::{
    process::{Gid, Uid},
    thread::{
        CapabilitySet, CapabilitySets, configure_capability_in_ambient_set, set_capabilities, set_keep_capabilities,
        set_thread_groups, set_thread_res_gid, set_thread_res_uid,
    },
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// The ordinary user.
const USER: u32 = 12345;

/// What a user without most of root keeps.
const KEPT: [CapabilitySet; 3] = [CapabilitySet::NET_BIND_SERVICE, CapabilitySet::KILL, CapabilitySet::DAC_READ_SEARCH];

fn main() -> Result<()> {
    let mut words = std::env::args_os().skip(1);
    let lacking = words.next().context("what the kernel shall lack")?;
    let filters = match lacking.to_str() {
        Some("landlock") => vec![refused(libc::SYS_landlock_create_ruleset, Vec::new(), libc::ENOSYS)?],
        // The newer of the two calls is taken away last: after it, no filter can be added.
        Some("seccomp") => vec![
            refused(libc::SYS_prctl, vec![first_is(libc::PR_SET_SECCOMP)?], libc::EINVAL)?,
            refused(libc::SYS_seccomp, Vec::new(), libc::ENOSYS)?,
        ],
        Some("unit-that-kills") => unit(SeccompAction::KillProcess)?,
        Some("unit-that-refuses") => unit(SeccompAction::Errno(libc::EPERM.unsigned_abs()))?,
        Some("close_range") => vec![refused(libc::SYS_close_range, Vec::new(), libc::ENOSYS)?],
        Some("root") => become_ordinary(&[])?,
        Some("most-of-root") => become_ordinary(&KEPT)?,
        other => bail!("{other:?} is nothing that a kernel can lack here"),
    };
    let mut program = Command::new(words.next().context("a program")?);
    for filter in &filters {
        seccompiler::apply_filter_all_threads(filter)?;
    }
    Err(program.args(words).exec().into())
}

/// The calls outside of systemd's `@system-service` that a host makes or may make.
const OUTSIDE: [i64; 4] = [
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
    libc::SYS_seccomp,
];

/// A service whose unit has `SystemCallFilter=@system-service`.
fn unit(action: SeccompAction) -> Result<Vec<BpfProgram>> {
    let rules = OUTSIDE.map(|call| (call, Vec::new())).into();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, std::env::consts::ARCH.try_into()?)?;
    Ok(vec![filter.try_into()?])
}

/// Another user, who keeps these. There is one thread: what changes it changes the process.
fn become_ordinary(kept: &[CapabilitySet]) -> Result<Vec<BpfProgram>> {
    let (user, group) = (Uid::from_raw(USER), Gid::from_raw(USER));
    set_keep_capabilities(true)?;
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    let all = kept.iter().copied().collect();
    set_capabilities(None, CapabilitySets { effective: all, permitted: all, inheritable: all })?;
    for one in kept {
        configure_capability_in_ambient_set(*one, true)?;
    }
    Ok(Vec::new())
}

fn first_is(value: i32) -> Result<SeccompCondition> {
    let value = u64::try_from(value)?;
    Ok(SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?)
}

/// A filter that answers one call with an error, and lets all others through.
fn refused(call: i64, conditions: Vec<SeccompCondition>, error: i32) -> Result<BpfProgram> {
    let rules = if conditions.is_empty() { Vec::new() } else { vec![SeccompRule::new(conditions)?] };
    let action = SeccompAction::Errno(error.unsigned_abs());
    let filter = SeccompFilter::new(
        BTreeMap::from([(call, rules)]),
        SeccompAction::Allow,
        action,
        std::env::consts::ARCH.try_into()?,
    )?;
    Ok(filter.try_into()?)
}
