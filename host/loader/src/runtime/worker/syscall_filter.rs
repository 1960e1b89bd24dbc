//! The system calls that a worker may make: those that loading and answering need. All others fail
//! with `EPERM`.
//!
//! No socket, exec, fork, thread or ptrace, and no signal to another process. Two filters lie on
//! top of each other, and the kernel applies the stricter one: `loading` still opens files
//! (landlock leaves it none but the library) and maps code, `answering` does not.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Is, SeccompCondition as Condition,
    SeccompFilter, SeccompRule as Rule, apply_filter,
};

/// Calls that both phases need.
const ALWAYS: [i64; 38] = [
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_geteuid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_uname,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Calls that opening a library needs besides: its file, its code, the second filter.
const LOADING: [i64; 7] = [
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_prctl,
    libc::SYS_pread64,
    libc::SYS_seccomp,
];

/// Older names of calls above, which only some architectures have.
#[cfg(target_arch = "x86_64")]
const OLDER: [i64; 2] = [libc::SYS_arch_prctl, libc::SYS_poll];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: [i64; 0] = [];

/// The argument of `mmap` and `mprotect` that holds the protection.
const PROTECTION: u8 = 2;

/// Holds this process while it opens the library.
pub(super) fn loading() -> Result<(), String> {
    let mut rules = rules()?;
    rules.extend(LOADING.map(|call| (call, Vec::new())));
    apply(rules)
}

/// Holds it from then on: it opens no file and makes no memory executable.
pub(super) fn answering() -> Result<(), String> {
    let mut rules = rules()?;
    let no_code = Is::MaskedEq(u64::from(libc::PROT_EXEC.unsigned_abs()));
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![only(PROTECTION, no_code.clone(), 0)?]);
    }
    apply(rules)
}

type Rules = BTreeMap<i64, Vec<Rule>>;

fn rules() -> Result<Rules, String> {
    let mut rules: Rules = ALWAYS.into_iter().chain(OLDER).map(|call| (call, Vec::new())).collect();
    // `abort` raises its signal with this; a signal to another process is refused.
    rules.insert(libc::SYS_tgkill, vec![only(0, Is::Eq, u64::from(std::process::id()))?]);
    Ok(rules)
}

fn only(argument: u8, is: Is, value: u64) -> Result<Rule, String> {
    Condition::new(argument, Width::Dword, is, value)
        .and_then(|condition| Rule::new(vec![condition]))
        .map_err(|error| error.to_string())
}

fn apply(rules: Rules) -> Result<(), String> {
    let architecture = std::env::consts::ARCH.try_into().map_err(|_| "not on this architecture".to_owned())?;
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, architecture);
    let program: BpfProgram = filter.and_then(TryInto::try_into).map_err(|error| error.to_string())?;
    apply_filter(&program).map_err(|error| error.to_string())
}
