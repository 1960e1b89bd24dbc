//! What the kernel says of a worker, in `/proc/PID/status` (proc(5)). The host believes this rather
//! than the worker's own word.

use std::{fs, io};

use super::sandbox::Sandbox;

/// The capability sets that have to be empty.
const CAPABILITY_SETS: [&str; 4] = ["CapInh", "CapPrm", "CapEff", "CapAmb"];

/// Filters that a worker adds to those that it inherits.
const OWN_FILTERS: u32 = 2;

/// The status of a process.
pub(super) struct KernelRecord(String);

impl KernelRecord {
    /// Of a process, by its id.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        fs::read_to_string(format!("/proc/{pid}/status")).map(Self)
    }

    /// Of this thread.
    pub(super) fn of_this_thread() -> io::Result<Self> {
        fs::read_to_string("/proc/thread-self/status").map(Self)
    }

    /// How many system-call filters lie on it; `None` on kernels before 5.9, which do not say.
    pub(super) fn filters(&self) -> Option<u32> {
        self.value("Seccomp_filters")?.parse().ok()
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    /// Whether a part that a worker says it has entered holds. Parts of which the kernel keeps no
    /// record were entered before anything of the library ran.
    fn confirms(&self, part: &str, inherited_filters: u32) -> bool {
        let is = |name: &str, wanted: &str| self.value(name) == Some(wanted);
        match part {
            "user" => self.value("Uid").is_some_and(|ids| ids.split_whitespace().all(|id| id != "0")),
            "capabilities" => CAPABILITY_SETS.iter().all(|name| self.value(name).is_none_or(is_empty)),
            "no-new-privileges" => is("NoNewPrivs", "1"),
            "seccomp" => is("Seccomp", "2"),
            "seccomp-sealed" => self.filters().is_none_or(|filters| filters >= inherited_filters + OWN_FILTERS),
            _ => true,
        }
    }
}

fn is_empty(set: &str) -> bool {
    set.bytes().all(|digit| digit == b'0')
}

/// What a worker says of its sandbox, held to what the kernel says of the worker.
pub(super) fn confirmed(said: Sandbox, record: io::Result<KernelRecord>, inherited_filters: u32) -> Sandbox {
    let mut sandbox = Sandbox { held: Vec::new(), missing: said.missing, forbidden: said.forbidden };
    let record = record.map_err(|error| sandbox.note("kernel-record", Err(error))).ok();
    for part in said.held {
        match &record {
            Some(record) if !record.confirms(&part, inherited_filters) => {
                sandbox.note(&part, Err("the kernel says that it does not hold"));
            }
            _ => sandbox.held.push(part),
        }
    }
    sandbox
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tjackfield\nUid:\t65534\t65534\t65534\t65534\nCapInh:\t0000000000000000\n\
        CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n\
        NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n";

    fn said() -> Sandbox {
        let parts =
            ["limits", "user", "capabilities", "no-new-privileges", "landlock 4 of 6", "seccomp", "seccomp-sealed"];
        Sandbox {
            held: parts.map(str::to_owned).into(),
            missing: vec!["parent (no)".to_owned()],
            forbidden: Vec::new(),
        }
    }

    #[test]
    fn what_the_kernel_confirms_holds() {
        let sandbox = confirmed(said(), Ok(KernelRecord(STATUS.to_owned())), 1);
        assert_eq!(sandbox, said());
    }

    #[test]
    fn what_the_kernel_does_not_confirm_is_missing_whatever_the_worker_says() {
        let cases = [
            ("Uid:\t65534\t", "Uid:\t0\t", "user"),
            ("CapEff:\t0000000000000000", "CapEff:\t0000000000080000", "capabilities"),
            ("CapAmb:\t0000000000000000", "CapAmb:\t0000000000000400", "capabilities"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "no-new-privileges"),
            ("Seccomp:\t2", "Seccomp:\t0", "seccomp"),
            ("Seccomp_filters:\t3", "Seccomp_filters:\t2", "seccomp-sealed"),
        ];
        for (holds, does_not, part) in cases {
            let sandbox = confirmed(said(), Ok(KernelRecord(STATUS.replace(holds, does_not))), 1);
            let message = format!("{part} (the kernel says that it does not hold)");
            assert_eq!(sandbox.missing, ["parent (no)".to_owned(), message]);
            assert!(!sandbox.held.iter().any(|held| held == part), "{sandbox:?}");
        }
    }

    #[test]
    fn a_kernel_that_does_not_count_filters_is_believed() {
        let status = STATUS.replace("Seccomp_filters:\t3\n", "");
        assert_eq!(confirmed(said(), Ok(KernelRecord(status)), 1), said());
    }

    #[test]
    fn a_record_that_cannot_be_read_is_missing() {
        let sandbox = confirmed(said(), Err(io::ErrorKind::NotFound.into()), 0);
        assert_eq!(sandbox.missing, ["parent (no)", "kernel-record (entity not found)"]);
    }
}
