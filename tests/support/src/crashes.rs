//! RandomCrashes processes at random moments, the same ones for the same seed.

use std::{
    io::Read,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

/// Says which seed to take, to have a failure again.
const SEED: &str = "JACKFIELD_TESTS_SEED";

/// A row of random moments.
pub struct RandomCrashes {
    moments: fastrand::Rng,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By `kill -9`.
    Killed,
    /// By itself, and well.
    Done,
}

impl RandomCrashes {
    /// Takes the seed that the environment names, or another each time, and prints it.
    ///
    /// # Errors
    /// When the environment names none that can be read.
    pub fn new() -> Result<Self> {
        let named = std::env::var(SEED).ok().map(|seed| seed.parse()).transpose().context(SEED)?;
        let seed = named.unwrap_or_else(|| fastrand::u64(..));
        println!("{SEED}={seed}");
        Ok(Self { moments: fastrand::Rng::with_seed(seed) })
    }

    /// A moment before `longest` is over.
    pub fn moment(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.moments.f64())
    }

    /// Runs a command and kills it at a moment before `longest` is over, unless it has ended by then.
    ///
    /// # Errors
    /// When it ends by itself, and not well; with what it said.
    pub fn run(&mut self, command: &mut Command, longest: Duration) -> Result<Ended> {
        killed_after(command, self.moment(longest))
    }
}

/// Runs a command to its end and answers how long that took.
///
/// # Errors
/// When it does not end well.
pub fn time_to_finish(command: &mut Command) -> Result<Duration> {
    let begun = Instant::now();
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(begun.elapsed())
}

/// The end of its output is the end of the process.
fn killed_after(command: &mut Command, moment: Duration) -> Result<Ended> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (mut out, mut err) = (child.stdout.take().context("piped")?, child.stderr.take().context("piped")?);
    let (ended, end) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut said = Vec::new();
        let read = out.read_to_end(&mut said).and_then(|_| err.read_to_end(&mut said));
        let _ = ended.send(());
        read.map(|_| said)
    });
    let is_late = end.recv_timeout(moment).is_err();
    if is_late {
        child.kill()?;
    }
    let status = child.wait()?;
    let said = reader.join().map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    if is_late && !status.success() {
        return Ok(Ended::Killed);
    }
    ensure!(status.success(), "{}", String::from_utf8_lossy(&said));
    Ok(Ended::Done)
}
