//! What processes have used, as proc(5) shows it.

use std::{fs, path::Path, time::Instant};

use anyhow::{Context, Result};
use jackfield_test_support::processes;
use rustix::thread::{CpuSet, sched_setaffinity};

/// A process with its children: a host and the workers of its plugins.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pids: Vec<u32>,
}

/// What a group has used up to one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    at: Instant,
    seconds: f64,
}

/// Resident memory in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Of the first process.
    pub(crate) own: u64,
    /// Of its children, together.
    pub(crate) children: u64,
    /// The most that the first process ever had.
    pub(crate) peak: u64,
}

impl Group {
    /// A process with the children that it has now.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let children = processes::all()?.into_iter().filter(|process| process.parent == pid);
        Ok(Self { pids: std::iter::once(pid).chain(children.map(|process| process.pid)).collect() })
    }

    /// This process alone.
    pub(crate) fn this() -> Self {
        Self { pids: vec![std::process::id()] }
    }

    /// All of several groups.
    pub(crate) fn all(groups: &[Self]) -> Self {
        Self { pids: groups.iter().flat_map(|group| group.pids.iter().copied()).collect() }
    }

    /// Processor time up to now. A process that has ended counts no more.
    pub(crate) fn usage(&self) -> Usage {
        let ticks: u64 =
            self.pids.iter().filter_map(|pid| processes::read(*pid).ok()).map(|process| process.ticks).sum();
        Usage { at: Instant::now(), seconds: ticks as f64 / 100.0 }
    }

    /// Resident memory now.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let (first, children) = self.pids.split_first().context("a process")?;
        Ok(Memory {
            own: status(*first, "VmRSS:")?,
            peak: status(*first, "VmHWM:")?,
            children: children.iter().filter_map(|pid| status(*pid, "VmRSS:").ok()).sum(),
        })
    }
}

impl Usage {
    /// Processor seconds since an earlier moment, and seconds by the clock.
    pub(crate) fn since(self, before: Self) -> (f64, f64) {
        (self.seconds - before.seconds, (self.at - before.at).as_secs_f64())
    }
}

/// A line of /proc/PID/status, which is in KiB.
fn status(pid: u32, field: &str) -> Result<u64> {
    let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)).context("a line of the status")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// Keeps this thread, and all that it starts from now on, on some cores.
pub(crate) fn pin(cores: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    sched_setaffinity(None, &set).with_context(|| format!("this process cannot use the cores {cores:?}"))
}
