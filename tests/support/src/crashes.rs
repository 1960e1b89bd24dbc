//! Kills processes at random moments. The same seed gives the same moments.

use std::{
    io::Read,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

/// The environment variable with the seed, to reproduce a failure.
const SEED: &str = "JACKFIELD_TESTS_SEED";

/// A series of random moments.
pub struct RandomCrashes {
    moments: fastrand::Rng,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By `kill -9`.
    Killed,
    /// By itself, with success.
    Finished,
}

impl RandomCrashes {
    /// Takes the seed of the environment, or a random one, and prints it.
    ///
    /// # Errors
    /// When the seed of the environment is not a number.
    pub fn new() -> Result<Self> {
        let named = std::env::var(SEED).ok().map(|seed| seed.parse()).transpose().context(SEED)?;
        let seed = named.unwrap_or_else(|| fastrand::u64(..));
        println!("{SEED}={seed}");
        Ok(Self { moments: fastrand::Rng::with_seed(seed) })
    }

    /// A random duration up to `longest`.
    pub fn delay(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.moments.f64())
    }

    /// Runs a command and kills it at a random moment within `longest`, unless it has ended by
    /// then.
    ///
    /// # Errors
    /// When it fails by itself; with what it printed.
    pub fn run(&mut self, command: &mut Command, longest: Duration) -> Result<Exit> {
        killed_after(command, self.delay(longest))
    }
}

/// Runs a command to its end and returns how long that took.
///
/// # Errors
/// When it fails.
pub fn time_to_finish(command: &mut Command) -> Result<Duration> {
    let begun = Instant::now();
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(begun.elapsed())
}

/// A process has ended when its output ends.
fn killed_after(command: &mut Command, moment: Duration) -> Result<Exit> {
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
        return Ok(Exit::Killed);
    }
    ensure!(status.success(), "{}", String::from_utf8_lossy(&said));
    Ok(Exit::Finished)
}
