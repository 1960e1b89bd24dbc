//! Removes what has expired.

use crate::{
    error::StoreResult,
    store::Store,
    tables::{events, revocations, sessions, setups, webhooks},
};

impl Store {
    /// Removes sessions, setups and all else that has expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self) -> StoreResult<()> {
        self.write(|tx| {
            sessions::sweep(tx)?;
            setups::sweep(tx)?;
            webhooks::sweep(tx)?;
            events::sweep(tx)?;
            revocations::sweep(tx)
        })
        .await
    }
}
