//! The one writer: all changes that wait become durable by one commit.

use std::{sync::mpsc, thread};

use anyhow::{Context, Result};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::tables::Change;

/// Where changes are sent.
#[derive(Clone)]
pub(super) struct Writer(mpsc::Sender<(Change, oneshot::Sender<()>)>);

impl Writer {
    /// Starts the thread that owns the database.
    pub(super) fn start(database: Connection) -> Self {
        let (sender, waiting) = mpsc::channel::<(Change, oneshot::Sender<()>)>();
        thread::spawn(move || {
            while let Ok(first) = waiting.recv() {
                let batch: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
                if let Err(error) = commit(&database, batch) {
                    eprintln!("the yardstick cannot write: {error}");
                    return;
                }
            }
        });
        Self(sender)
    }

    /// Returns when a change is durable.
    pub(super) async fn write(&self, change: Change) -> Result<()> {
        let (done, is_done) = oneshot::channel();
        self.0.send((change, done)).ok().context("the writer has ended")?;
        Ok(is_done.await?)
    }
}

fn commit(database: &Connection, batch: Vec<(Change, oneshot::Sender<()>)>) -> rusqlite::Result<()> {
    database.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    for (change, _) in &batch {
        change.apply(database)?;
    }
    database.prepare_cached("COMMIT")?.execute([])?;
    for (_, done) in batch {
        // A client that has hung up does not wait.
        let _ = done.send(());
    }
    Ok(())
}
