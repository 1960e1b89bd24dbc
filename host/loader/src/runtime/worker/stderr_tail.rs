//! The last words of a worker. All of them are hostile input, and none of them is waited for.

use std::{convert::Infallible, future::pending};

use tokio::{io::AsyncReadExt, process::ChildStderr};

use super::exit_cause::STDERR_TAIL_LENGTH;

/// Bytes that are read while a call lasts. A worker that writes more waits, until its deadline ends
/// it: it must not keep the host busy with reading.
const PER_CALL: usize = 64 << 10;

/// Bytes that may be left in a pipe when its writer has ended.
const LEFT: usize = 1 << 20;

/// A worker's standard error, and the end of what came.
pub(super) struct StderrTail {
    stderr: Option<ChildStderr>,
    kept: Vec<u8>,
    budget: usize,
}

impl StderrTail {
    pub(super) const fn new(stderr: Option<ChildStderr>) -> Self {
        Self { stderr, kept: Vec::new(), budget: PER_CALL }
    }

    /// A call begins.
    pub(super) const fn renew_budget(&mut self) {
        self.budget = PER_CALL;
    }

    /// Reads until it is cancelled.
    pub(super) async fn read(&mut self) -> Infallible {
        while self.read_some().await {}
        pending().await
    }

    /// What a worker that has ended left: the end of it.
    pub(super) async fn last_words(&mut self) -> String {
        self.budget = LEFT;
        while self.read_some().await {}
        String::from_utf8_lossy(&self.kept).into_owned()
    }

    /// Whether there may be more.
    async fn read_some(&mut self) -> bool {
        let mut chunk = [0; 4096];
        let most = chunk.len().min(self.budget);
        let Some(stderr) = &mut self.stderr else { return false };
        let Ok(length @ 1..) = stderr.read(&mut chunk[..most]).await else { return false };
        self.budget -= length;
        self.kept.extend_from_slice(&chunk[..length]);
        self.kept.drain(..self.kept.len().saturating_sub(STDERR_TAIL_LENGTH));
        true
    }
}
