//! A SQLite database that another process has locked for writing.

use std::sync::mpsc::{Sender, channel};

use anyhow::Result;
use jackfield_store::{StoreResult, Tx};
use jackfield_test_support::host::Host;
use tokio::task::{JoinHandle, block_in_place};

/// Holds the write lock of a host's database until it is released.
pub(crate) struct LockedDatabase {
    release: Sender<()>,
    holder: JoinHandle<StoreResult<()>>,
}

impl LockedDatabase {
    /// Locks it, as another program would.
    pub(crate) async fn of(host: &Host) -> Result<Self> {
        let other = host.store().await?;
        let ((locked, is_locked), (release, is_released)) = (channel(), channel::<()>());
        let holder = tokio::spawn(async move {
            let hold = move |_: &mut Tx<'_>| {
                let _ = locked.send(());
                let _ = is_released.recv();
                Ok(())
            };
            other.write(hold).await
        });
        block_in_place(|| is_locked.recv())?;
        Ok(Self { release, holder })
    }

    /// Ends the other program's transaction.
    pub(crate) async fn release(self) -> Result<()> {
        self.release.send(())?;
        Ok(self.holder.await??)
    }
}
