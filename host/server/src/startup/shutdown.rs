//! The end of a host: open requests, refreshes under way, the last counts, one after the other and
//! none for ever.

use std::{sync::Arc, time::Instant};

use axum::Router;
use tokio::net::TcpListener;

use super::stop::{GRACE, Patience, Stop};
use crate::{
    app::AppHandle,
    connections::{self, Slots},
};
use jackfield_services::{StoreError, audit::Audit};

/// Serves until the host is to stop, then finishes open requests. Returns when the stop began.
pub(super) async fn serve(listener: TcpListener, router: Router, slots: Arc<Slots>, stop: &Stop) -> Instant {
    let mut served = std::pin::pin!(connections::serve(listener, router, slots, stop.token()));
    tokio::select! {
        () = stop.asked() => {}
        () = &mut served => return Instant::now(),
    }
    let began = Instant::now();
    tracing::info!("stopping: no new connections");
    tokio::select! {
        () = served => {}
        () = tokio::time::sleep(GRACE) => tracing::warn!("open requests were cut off"),
        () = stop.hurried() => tracing::warn!("open requests were cut off: the host was told twice to stop"),
    }
    began
}

/// Nothing is lost: it stands in the database.
const LEFT: &str =
    "entries of the audit log are not chained yet: another host does that, or this one at its next start";

/// Writes what must be written, as far as the database lets it, and says what is lost.
pub(super) async fn finish(app: &AppHandle, stop: &Stop, began: Instant) {
    let patience = Patience::since(stop, began);
    // What a provider has answered must be written.
    if patience.wait(app.grants.drain(), app.database.lasting_failure()).await.is_none() {
        tracing::error!("refreshes were cut off: if a provider has answered one, its new tokens are lost");
    }
    if patience.wait(app.deliveries.drain(), app.database.lasting_failure()).await.is_none() {
        tracing::warn!("deliveries were cut off: endpoints can get their events twice");
    }
    let uses = app.audit.unwritten();
    let why = match patience.wait(app.audit.flush(), app.database.lasting_failure()).await {
        Some(Ok(())) => None,
        Some(Err(error)) => Some(error.to_string()),
        None => Some(app.database.failure().map_or_else(|| "it takes too long".to_owned(), |error| error.to_string())),
    };
    if let Some(error) = why {
        tracing::error!(error, uses, "the last counts are missing in the audit log");
    }
    match patience.wait(app.audit.sequencer().end(), app.database.lasting_failure()).await {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::error!(%error, "{LEFT}"),
        None => tracing::error!("{LEFT}"),
    }
    match patience.wait(app.audit.head(), app.database.lasting_failure()).await {
        Some(head) => log_head(head),
        None => tracing::error!("the head of the audit log is not read: the database fails"),
    }
}

/// For `jackfield audit verify --head`, where this log is kept out of reach of those who can write
/// the database.
pub(super) async fn note_head(audit: &Audit) {
    log_head(audit.head().await);
}

fn log_head(head: Result<impl std::fmt::Display, StoreError>) {
    match head {
        Ok(head) => tracing::info!(audit.head = %head, "the audit log ends here"),
        Err(error) => tracing::error!(%error, "the head of the audit log cannot be read"),
    }
}
