//! Accepts connections until the host stops.

use std::sync::Arc;

use axum::Router;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    accept::{Accept, recover},
    connection,
    slots::Slots,
};

/// Serves until `stopping`; then accepts no more, and returns when the open requests are answered.
pub(crate) async fn serve<L: Accept>(mut listener: L, router: Router, slots: Arc<Slots>, stopping: CancellationToken) {
    let connections = TaskTracker::new();
    let accept_all = async {
        loop {
            slots.room().await;
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let slot = slots.take();
                    connections.spawn(connection::run(stream, peer, router.clone(), slot, stopping.clone()));
                }
                Err(error) => recover(&error, &slots).await,
            }
        }
    };
    let _: Option<()> = stopping.run_until_cancelled(accept_all).await;
    drop(listener);
    connections.close();
    connections.wait().await;
}
