//! A good library with random changes, a thousand times: the result is refused or contained.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use jackfield_test_support::{
    host::built_library,
    processes::{self, until},
};

use crate::app::program;

const COUNT: usize = 1000;

/// A random seed, or the one of a run to repeat.
fn seed() -> Result<u64> {
    match std::env::var("JACKFIELD_TESTS_SEED") {
        Ok(text) => Ok(text.parse()?),
        Err(_) => Ok(getrandom::u64()?),
    }
}

/// The library, without debug information where there is `strip`: changes to that test nothing.
fn good_library(folder: &Path) -> Result<Vec<u8>> {
    let file = folder.join("libgood.so");
    fs::copy(built_library("example")?, &file)?;
    let stripped = Command::new("strip").arg("--strip-unneeded").arg(&file).status();
    if !stripped.is_ok_and(|status| status.success()) {
        eprintln!("*** no `strip`: many of the mutations hit what nobody reads");
    }
    Ok(fs::read(file)?)
}

/// Offset and length of the parts of a 64-bit ELF file.
struct Parts {
    programs: (usize, usize),
    table: (usize, usize),
    sections: Vec<(usize, usize)>,
}

fn number(bytes: &[u8], at: usize, size: usize) -> usize {
    bytes[at..at + size].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

impl Parts {
    fn of(bytes: &[u8]) -> Self {
        let (programs, table) = (number(bytes, 32, 8), number(bytes, 40, 8));
        let (size, count) = (number(bytes, 58, 2), number(bytes, 60, 2));
        let section = |n: usize| table + n * size;
        // Sections of type 8 have no bytes in the file.
        let full = (1..count).map(section).filter(|at| number(bytes, at + 4, 4) != 8);
        let sections = full.map(|at| (number(bytes, at + 24, 8), number(bytes, at + 32, 8)));
        let sections = sections.filter(|(_, length)| *length > 0).collect();
        Self {
            programs: (programs, number(bytes, 54, 2) * number(bytes, 56, 2)),
            table: (table, size * count),
            sections,
        }
    }
}

/// Changes the bytes, and returns a description.
fn mutated(good: &[u8], parts: &Parts, random: &mut Rng) -> (String, Vec<u8>) {
    let mut bytes = good.to_vec();
    let what = match random.usize(..8) {
        0 => {
            bytes.truncate(random.usize(..good.len()));
            format!("cut at {}", bytes.len())
        }
        1 => flipped(&mut bytes, (0, good.len()), random, "anywhere"),
        2 => flipped(&mut bytes, (0, 64), random, "in the header"),
        3 => flipped(&mut bytes, parts.programs, random, "in the program headers"),
        4 => flipped(&mut bytes, parts.table, random, "in the section table"),
        5 => {
            let (start, length) = parts.programs;
            let at = start + random.usize(..length / 8) * 8;
            let value = [0, 1, 0x1000, u64::from(u32::MAX), 1 << 47, u64::MAX][random.usize(..6)];
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            format!("{value:#x} into the program headers at {at}")
        }
        6 => {
            let (start, length) = part(parts, random);
            let at = start + random.usize(..length);
            let end = (at + 1 + random.usize(..256)).min(good.len());
            let fill = [0, 0xff, 0xcc][random.usize(..3)];
            bytes[at..end].fill(fill);
            format!("{fill:#x} from {at} to {end}")
        }
        _ => {
            let part = part(parts, random);
            flipped(&mut bytes, part, random, "in a section")
        }
    };
    (what, bytes)
}

/// Every section with the same probability: the loader reads the small ones.
fn part(parts: &Parts, random: &mut Rng) -> (usize, usize) {
    parts.sections[random.usize(..parts.sections.len())]
}

fn flipped(bytes: &mut [u8], (start, length): (usize, usize), random: &mut Rng, whither: &str) -> String {
    let flips = 1 + random.usize(..8);
    for _ in 0..flips {
        bytes[start + random.usize(..length)] ^= 1 << random.usize(..8);
    }
    format!("{flips} bits flipped {whither} ({start}+{length})")
}

/// Checks a file as an operator does, in a session of its own, and waits until no process of the
/// session is left.
fn checked(folder: &Path, file: &Path) -> Result<Output> {
    let child = Command::new("setsid")
        .arg(program().path)
        .arg("--config")
        .arg(folder.join("jackfield.toml"))
        .args(["plugin", "check", "--questions", "0"])
        .arg(file)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // `setsid` becomes the program.
    let session = child.id();
    let output = child.wait_with_output()?;
    let left = || {
        let mut left = processes::all()?;
        left.retain(|process| process.session == session && process.is_alive());
        Ok(left)
    };
    until(left, Vec::is_empty).context("left behind")?;
    Ok(output)
}

/// Number of checks by result.
#[derive(Default)]
struct Counts {
    good: AtomicUsize,
    refused: AtomicUsize,
    contained: AtomicUsize,
}

impl Counts {
    fn judge(&self, output: &Output) -> Result<()> {
        let said = [output.stderr.as_slice(), &output.stdout].concat();
        let said = String::from_utf8_lossy(&said);
        match output.status.code() {
            Some(0) => &self.good,
            Some(1) if said.contains("the worker ") || said.contains("PROBLEM ") => &self.contained,
            Some(1) if said.contains("refused: ") => &self.refused,
            _ => anyhow::bail!("ended with {}: {said}", output.status),
        }
        .fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Mutates and checks until all are done. Returns the failures, with the seed to repeat them.
fn worked_off(folder: &Path, good: &[u8], seed: u64, next: &AtomicUsize, counts: &Counts) -> Result<Vec<String>> {
    let parts = Parts::of(good);
    let mut wrong = Vec::new();
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= COUNT {
            return Ok(wrong);
        }
        let (what, bytes) = mutated(good, &parts, &mut Rng::with_seed(seed.wrapping_add(n as u64)));
        let file = folder.join(format!("libmutated{n}.so"));
        fs::write(&file, bytes)?;
        if let Err(error) = checked(folder, &file).and_then(|output| counts.judge(&output)) {
            wrong.push(format!("JACKFIELD_TESTS_SEED={seed}, number {n}, {what}: {error:#}"));
        }
        fs::remove_file(file)?;
    }
}

#[test]
fn a_thousand_mutations_of_a_good_library_are_refused_or_contained() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    fs::write(folder.join("jackfield.toml"), "default-integrations = []\n")?;
    let (good, seed) = (good_library(folder)?, seed()?);
    let output = checked(folder, &folder.join("libgood.so"))?;
    ensure!(output.status.success(), "unchanged, it is good: {}", String::from_utf8_lossy(&output.stderr));
    let (next, counts) = (AtomicUsize::new(0), Counts::default());
    let wrong: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| worked_off(folder, &good, seed, &next, &counts))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a thread that panics nowhere"))
            .collect::<Result<Vec<_>>>()
    })?
    .concat();
    let Counts { good, refused, contained } = counts;
    eprintln!("JACKFIELD_TESTS_SEED={seed}: {good:?} good, {refused:?} refused, {contained:?} contained");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let counts = [good, refused, contained].map(AtomicUsize::into_inner);
    assert!(counts.iter().all(|count| *count > 10), "the test really tests something: {counts:?}");
    Ok(())
}
