//! The system calls that a worker may make: those that answering needs. All others fail with
//! `EPERM`.
//!
//! No socket, exec, fork, thread or ptrace, no `fcntl` and `prctl`, and no signal to another
//! process. Two filters lie on top of each other, and the kernel applies the stricter one:
//! `loading` opens files for reading (landlock leaves it none but the library) and maps code,
//! `answering` does not. Nothing of the library runs before both hold.
//!
//! A test tries every call, so that the list does not grow unseen.
#![allow(unsafe_code, reason = "a filter is given to the kernel by its address")]

use std::{collections::BTreeMap, os::fd::RawFd};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Is, SeccompCondition as Condition,
    SeccompFilter, SeccompRule as Rule, sock_filter,
};

/// Calls that both phases need, with any arguments: memory, what is open already, clocks, and the
/// process's own signals and end.
const ALWAYS: [i64; 21] = [
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_read,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Calls that opening a library needs besides: its file, its code.
const LOADING: [i64; 7] = [
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_newfstatat,
    libc::SYS_pread64,
];

/// What the C library asks on some architectures when it opens a library.
#[cfg(target_arch = "x86_64")]
const OLDER: [i64; 1] = [libc::SYS_arch_prctl];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: [i64; 0] = [];

/// The argument of `mmap` and `mprotect` that holds the protection.
const PROTECTION: u8 = 2;
/// The argument of `openat` that holds the flags.
const OPEN_FLAGS: u8 = 2;
/// The argument of `madvise` that holds the advice.
const ADVICE: u8 = 2;
/// The argument of `futex` that holds the operation.
const OPERATION: u8 = 1;

/// What allocators tell the kernel of memory that they do not use.
const UNUSED: [i32; 2] = [libc::MADV_DONTNEED, libc::MADV_FREE];
/// What locks ask for, private to the process or not, on any clock.
const LOCKING: [i32; 4] = [libc::FUTEX_WAIT, libc::FUTEX_WAKE, libc::FUTEX_WAIT_BITSET, libc::FUTEX_WAKE_BITSET];
const LOCKING_FLAGS: i32 = libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME;

/// Holds this process while it opens the library: it reads files, and changes, makes and cuts none,
/// even where there is no landlock.
pub(super) fn loading() -> Result<(), String> {
    let mut rules = rules()?;
    rules.extend(LOADING.into_iter().chain(OLDER).map(|call| (call, Vec::new())));
    let reading = Is::MaskedEq(!bits(libc::O_CLOEXEC) & u64::from(u32::MAX));
    rules.insert(libc::SYS_openat, vec![only(OPEN_FLAGS, reading, bits(libc::O_RDONLY))?]);
    rules.insert(libc::SYS_prctl, prctl(&[libc::PR_SET_DUMPABLE, libc::PR_SET_NO_NEW_PRIVS, libc::PR_SET_SECCOMP])?);
    apply(&program(rules)?)
}

/// Holds it from then on: it opens no file and makes no memory executable. It cannot close the
/// descriptor `kept` either.
pub(super) fn answering(kept: RawFd) -> Result<(), String> {
    let mut rules = rules()?;
    let no_code = Is::MaskedEq(bits(libc::PROT_EXEC));
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![only(PROTECTION, no_code.clone(), 0)?]);
    }
    rules.insert(libc::SYS_close, vec![only(0, Is::Ne, bits(kept))?]);
    // For `hide`. Nothing else of `prctl` is left, and this cannot be taken back.
    let hide = [condition(0, Is::Eq, bits(libc::PR_SET_DUMPABLE))?, condition(1, Is::Eq, 0)?];
    rules.insert(libc::SYS_prctl, vec![rule(hide.into())?]);
    let mut filter = no_files();
    filter.extend(program(rules)?);
    apply(&filter)
}

/// Refuses to open files with the error that authors expect of a missing right, `EACCES`.
fn no_files() -> Vec<sock_filter> {
    let instruction = |code: u32, jf, k| sock_filter { code: code as u16, jt: 0, jf, k };
    let refused = u32::from(SeccompAction::Errno(libc::EACCES.unsigned_abs()));
    let number = u32::try_from(libc::SYS_openat).expect("numbers of system calls are small");
    vec![
        // The call's number is the first word of what a filter is shown.
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, number),
        instruction(libc::BPF_RET | libc::BPF_K, 0, refused),
    ]
}

type Rules = BTreeMap<i64, Vec<Rule>>;

fn rules() -> Result<Rules, String> {
    let mut rules: Rules = ALWAYS.into_iter().map(|call| (call, Vec::new())).collect();
    // `abort` raises its signal with this; a signal to another process is refused.
    rules.insert(libc::SYS_tgkill, vec![only(0, Is::Eq, u64::from(std::process::id()))?]);
    let unused = UNUSED.map(|advice| only(ADVICE, Is::Eq, bits(advice)));
    rules.insert(libc::SYS_madvise, unused.into_iter().collect::<Result<_, _>>()?);
    let operation = Is::MaskedEq(!bits(LOCKING_FLAGS) & u64::from(u32::MAX));
    let locking = LOCKING.map(|wanted| only(OPERATION, operation.clone(), bits(wanted)));
    rules.insert(libc::SYS_futex, locking.into_iter().collect::<Result<_, _>>()?);
    Ok(rules)
}

fn prctl(operations: &[i32]) -> Result<Vec<Rule>, String> {
    operations.iter().map(|operation| only(0, Is::Eq, bits(*operation))).collect()
}

/// The low 32 bits of an argument.
fn bits(value: i32) -> u64 {
    u64::from(value as u32)
}

fn only(argument: u8, is: Is, value: u64) -> Result<Rule, String> {
    rule(vec![condition(argument, is, value)?])
}

fn condition(argument: u8, is: Is, value: u64) -> Result<Condition, String> {
    Condition::new(argument, Width::Dword, is, value).map_err(|error| error.to_string())
}

fn rule(conditions: Vec<Condition>) -> Result<Rule, String> {
    Rule::new(conditions).map_err(|error| error.to_string())
}

fn program(rules: Rules) -> Result<BpfProgram, String> {
    let architecture = std::env::consts::ARCH.try_into().map_err(|_| "not on this architecture".to_owned())?;
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, architecture);
    filter.and_then(TryInto::try_into).map_err(|error| error.to_string())
}

/// By `prctl`, which services and containers allow more often than `seccomp`, and which does the
/// same for a process with one thread.
fn apply(program: &BpfProgram) -> Result<(), String> {
    let length = u16::try_from(program.len()).map_err(|_| "the filter is too long".to_owned())?;
    let filter = libc::sock_fprog { len: length, filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut() };
    // SAFETY: both structures have the kernel's layout, and the kernel copies them in this call.
    let applied = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    if applied == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().to_string()) }
}
