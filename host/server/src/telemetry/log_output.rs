//! Where lines of the log go: standard error, without ever waiting for it.
//!
//! Standard error may be a pipe that nobody reads for a while, or never. A line is written at once
//! if there is room for it. Else it waits, and so do those after it, and a thread of its own writes
//! them when somebody reads. Lines that find no room there either are counted, and the log says
//! how many are missing.

use std::{
    collections::VecDeque,
    io::{self, Write},
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::FileType,
    io::Errno,
    time::Timespec,
};

/// Most bytes of lines that wait.
const MOST_BYTES: usize = 4 << 20;

/// A pipe that takes anything takes so many bytes at once (`PIPE_BUF` of pipe(7)).
const PIECE: usize = 4096;

/// A file descriptor that takes lines of the log.
pub(super) struct LogOutput {
    target: OwnedFd,
    /// A file takes everything at once, so that it is not asked whether it does.
    is_file: bool,
    lines: Mutex<Lines>,
    /// Told when no line waits any more.
    caught_up: Condvar,
}

#[derive(Default)]
struct Lines {
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    /// A thread writes what waits.
    is_behind: bool,
    lost: u64,
}

/// Writes to a [`LogOutput`], a line at a time.
pub(super) struct LineWriter(Arc<LogOutput>);

static STANDARD_ERROR: OnceLock<Arc<LogOutput>> = OnceLock::new();

/// Standard error, the same for all callers.
///
/// # Errors
/// When this process may have no further file.
pub(super) fn standard_error() -> io::Result<Arc<LogOutput>> {
    if let Some(output) = STANDARD_ERROR.get() {
        return Ok(output.clone());
    }
    let output = LogOutput::new(io::stderr().as_fd().try_clone_to_owned()?);
    Ok(STANDARD_ERROR.get_or_init(|| output).clone())
}

/// Waits until all lines are written, if somebody takes them within the limit. For the end of a
/// process.
pub fn flush(limit: Duration) {
    if let Some(output) = STANDARD_ERROR.get() {
        output.flush(limit);
    }
}

impl LogOutput {
    fn new(target: OwnedFd) -> Arc<Self> {
        let is_file =
            rustix::fs::fstat(&target).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        Arc::new(Self { target, is_file, lines: Mutex::default(), caught_up: Condvar::new() })
    }

    pub(super) fn writer(self: &Arc<Self>) -> LineWriter {
        LineWriter(self.clone())
    }

    /// Writes a line now, or later.
    pub(super) fn put(self: &Arc<Self>, line: &[u8]) {
        let mut lines = self.lines.lock();
        if lines.is_behind {
            lines.wait_or_lose(line);
            return;
        }
        match self.write_what_fits(line) {
            Ok(length) if length == line.len() => {
                let lost = std::mem::take(&mut lines.lost);
                drop(lines);
                tell_lost(lost);
            }
            Ok(length) => {
                lines.wait_or_lose(&line[length..]);
                lines.is_behind = self.start_catching_up();
            }
            Err(_) => lines.lost += 1,
        }
    }

    /// The bytes for which there is room.
    fn write_what_fits(&self, line: &[u8]) -> io::Result<usize> {
        let mut length = 0;
        while length < line.len() && self.is_ready(Some(&Timespec::default()))? {
            length += self.write_piece(&line[length..])?;
        }
        Ok(length)
    }

    fn write_piece(&self, bytes: &[u8]) -> io::Result<usize> {
        match rustix::io::write(&self.target, &bytes[..bytes.len().min(PIECE)]) {
            Err(Errno::INTR | Errno::AGAIN) => Ok(0),
            written => Ok(written?),
        }
    }

    /// Whether a piece can be written without a wait. Also if writing would fail.
    fn is_ready(&self, wait: Option<&Timespec>) -> io::Result<bool> {
        if self.is_file {
            return Ok(true);
        }
        let mut polled = [PollFd::new(&self.target, PollFlags::OUT)];
        match poll(&mut polled, wait) {
            Err(Errno::INTR) => Ok(false),
            ready => Ok(ready? > 0),
        }
    }

    /// Whether there is a thread for it.
    fn start_catching_up(self: &Arc<Self>) -> bool {
        let output = self.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || output.catch_up()).is_ok()
    }

    fn catch_up(self: Arc<Self>) {
        while let Some(line) = self.next_line() {
            let is_written = self.write_whole(&line).is_ok();
            let mut lines = self.lines.lock();
            lines.bytes -= line.len();
            lines.lost += u64::from(!is_written);
        }
        self.caught_up.notify_all();
        let lost = std::mem::take(&mut self.lines.lock().lost);
        tell_lost(lost);
    }

    /// The next line that waits. If none does, lines are written at once again.
    fn next_line(&self) -> Option<Vec<u8>> {
        let mut lines = self.lines.lock();
        let line = lines.waiting.pop_front();
        lines.is_behind = line.is_some();
        line
    }

    fn write_whole(&self, line: &[u8]) -> io::Result<()> {
        let mut length = 0;
        while length < line.len() {
            if self.is_ready(None)? {
                length += self.write_piece(&line[length..])?;
            }
        }
        Ok(())
    }

    /// Waits until no line waits, for so long at most.
    pub(super) fn flush(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut lines = self.lines.lock();
        while lines.is_behind && !self.caught_up.wait_until(&mut lines, deadline).timed_out() {}
    }
}

impl Lines {
    fn wait_or_lose(&mut self, line: &[u8]) {
        if self.bytes + line.len() > MOST_BYTES {
            self.lost += 1;
            return;
        }
        self.bytes += line.len();
        self.waiting.push_back(line.to_vec());
    }
}

/// From a thread of its own: this is called where an event is being logged.
fn tell_lost(lines: u64) {
    if lines > 0 {
        let tell = move || tracing::warn!(lines, "lines of the log are missing here: nobody took them");
        let _ = thread::Builder::new().name("log-lost".to_owned()).spawn(tell);
    }
}

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Read};

    use rustix::pipe::pipe;

    use super::*;

    fn output() -> (Arc<LogOutput>, File) {
        let (reading, writing) = pipe().expect("a pipe");
        (LogOutput::new(writing), File::from(reading))
    }

    fn line(number: usize) -> String {
        format!("{number:08} {}\n", "x".repeat(100))
    }

    #[test]
    fn a_pipe_that_nobody_reads_holds_up_nobody_and_gives_all_lines_in_order_later() {
        let (output, mut pipe) = output();
        let lines: Vec<String> = (0..10_000).map(line).collect();
        lines.iter().for_each(|line| output.put(line.as_bytes()));
        assert!(output.lines.lock().is_behind, "the pipe is full");
        output.flush(Duration::from_millis(1));
        let mut read = vec![0; lines.concat().len()];
        pipe.read_exact(&mut read).expect("all of them come");
        assert!(read == lines.concat().into_bytes(), "in order");
        output.flush(Duration::from_secs(60));
        output.put(b"and on\n");
        let mut read = [0; 7];
        pipe.read_exact(&mut read).expect("it comes at once");
        assert_eq!(&read, b"and on\n");
    }

    #[test]
    fn lines_that_find_no_room_are_counted_and_those_that_wait_are_kept() {
        let (output, mut pipe) = output();
        let count = 2 * MOST_BYTES / line(0).len();
        (0..count).for_each(|number| output.put(line(number).as_bytes()));
        let (lost, bytes) = {
            let lines = output.lines.lock();
            (usize::try_from(lines.lost).expect("few"), lines.bytes)
        };
        assert!(lost > 0 && bytes <= MOST_BYTES, "{lost} {bytes}");
        let mut read = vec![0; (count - lost) * line(0).len()];
        pipe.read_exact(&mut read).expect("all that had room");
        assert!(String::from_utf8(read).expect("text").ends_with(&line(count - lost - 1)), "the newest are lost");
    }

    #[test]
    fn an_output_without_a_reader_loses_lines_and_goes_on() {
        let (output, pipe) = output();
        drop(pipe);
        output.put(b"nobody\n");
        assert_eq!(output.lines.lock().lost, 1);
    }
}
