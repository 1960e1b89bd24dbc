//! Runs a program as on a kernel that lacks something:
//! `lesser-kernel landlock|seccomp PROGRAM ARGUMENT…`.
//!
//! A filter answers as a real kernel without it would. It stays on for the program and all that it
//! starts.

use std::{collections::BTreeMap, os::unix::process::CommandExt, process::Command};

use anyhow::{Context, Result, bail};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

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
        other => bail!("{other:?} is nothing that a kernel can lack here"),
    };
    let mut program = Command::new(words.next().context("a program")?);
    for filter in &filters {
        seccompiler::apply_filter_all_threads(filter)?;
    }
    Err(program.args(words).exec().into())
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
