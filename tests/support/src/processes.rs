//! The processes of this machine, as `/proc` shows them.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

/// A process at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Process id of its parent.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// Its session.
    pub session: u32,
    /// `R`, `S`, …; `Z` for a zombie.
    pub state: char,
    /// Processor time it has used, in hundredths of a second.
    pub ticks: u64,
    /// When it started, in hundredths of a second since boot. Ids are used again: with another
    /// start it is another process.
    pub started: u64,
    /// Its command line; empty for a zombie.
    pub command_line: Vec<String>,
}

/// All processes.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn all() -> Result<Vec<Process>> {
    let ids = fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // A process that ends meanwhile is left out.
    Ok(ids.filter_map(|pid| read(pid).ok()).collect())
}

/// One process.
///
/// # Errors
/// When there is no process of that id.
pub fn read(pid: u32) -> Result<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is a name in brackets and may contain anything.
    let (_, rest) = stat.rsplit_once(')').context("a name in brackets")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // The third field of proc(5) is the first of these.
    let field = |number: usize| fields.get(number - 3).copied().context("a field");
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = command_line.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    Ok(Process {
        pid,
        parent: field(4)?.parse()?,
        group: field(5)?.parse()?,
        session: field(6)?.parse()?,
        state: field(3)?.parse()?,
        ticks: field(14)?.parse::<u64>()? + field(15)?.parse::<u64>()?,
        started: field(22)?.parse()?,
        command_line: words.map(|word| String::from_utf8_lossy(word).into_owned()).collect(),
    })
}

impl Process {
    /// Whether it still lives.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        read(self.pid).is_ok_and(|now| now.started == self.started && now.state != 'Z')
    }
}

/// How long another process may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks again and again until it is right. Nothing announces the state of another process.
///
/// # Errors
/// When it never is; with what was seen last.
pub fn until<T: std::fmt::Debug>(look: impl Fn() -> Result<T>, is_right: impl Fn(&T) -> bool) -> Result<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        let seen = look()?;
        if is_right(&seen) {
            return Ok(seen);
        }
        ensure!(Instant::now() < end, "it stayed at {seen:?}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_seen_and_seen_to_be_gone() -> Result<()> {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn()?;
        let seen = until(|| read(child.id()), |process| process.command_line == ["cat"])?;
        assert_eq!(seen.parent, std::process::id());
        assert!(seen.is_alive() && all()?.iter().any(|process| process.pid == seen.pid));
        drop(child.stdin.take());
        child.wait()?;
        assert!(!seen.is_alive());
        Ok(())
    }
}
