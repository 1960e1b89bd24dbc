//! Waits for a database that is not up yet, as when a machine or a cluster starts.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use crate::{
    database::connection::Connector,
    error::{StoreError, StoreResult},
    failure_reason,
    store::off_thread,
    target::Target,
};

/// Pause between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(500);

/// Waits until a database can be opened. The log says once what is waited for.
///
/// # Errors
/// When it cannot be opened by the end of the patience, or waiting does not help.
pub async fn wait_for_database(database: impl Into<Target>, patience: Duration) -> StoreResult<()> {
    let connector = Connector::new(database)?;
    let (begun, mut last) = (Instant::now(), None);
    let until = begun + patience;
    loop {
        let attempt = connector.clone();
        let opened = timeout_at(until.into(), off_thread(move || attempt.open().map(drop))).await;
        let error = match opened {
            Ok(Ok(())) => break,
            Ok(Err(error)) => error,
            Err(_) => return Err(last.unwrap_or_else(|| no_answer(patience))),
        };
        if Instant::now() + PAUSE >= until || !failure_reason::passes(&error.to_string()) {
            return Err(error);
        }
        if last.replace(error.clone()).is_none() {
            tracing::warn!(%error, patience = patience.as_secs_f64(), "waiting for the database");
        }
        sleep(PAUSE).await;
    }
    if last.is_some() {
        tracing::info!(after = begun.elapsed().as_secs_f64(), "the database is there");
    }
    Ok(())
}

fn no_answer(patience: Duration) -> StoreError {
    StoreError::Connect(format!("no answer within {} s", patience.as_secs_f64()))
}
