//! The body of an answer on its way to the caller: read by a task of its own, because nobody asks for more of it where the caller takes none. Then
//! the call ends when its time is over, and with it the connection to the service.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::try_unfold};
use tokio::sync::mpsc;

use super::{Answer, watch::Watch};
use jackfield_outbound::{Incoming, OutboundError};

/// What the task hands on; `None` is the end, as no more of them is not.
type Piece = Result<Option<Bytes>, OutboundError>;

/// The watch over a call, until one of both sides is done with it.
#[derive(Clone)]
struct Watched(Arc<Mutex<Option<Watch>>>);

/// What the caller's connection holds.
struct Taking {
    pieces: mpsc::Receiver<Piece>,
    watched: Watched,
    patience: Duration,
}

/// The body of an answer, watched to its end. The caller may take nothing of it for as long as `patience`.
pub(super) fn handed_on(body: Incoming, watch: Watch, patience: Duration) -> Answer {
    let (sender, pieces) = mpsc::channel(1);
    let watched = Watched(Arc::new(Mutex::new(Some(watch))));
    tokio::spawn(read(body, sender, watched.clone(), patience));
    let taking = Taking { pieces, watched, patience };
    try_unfold(taking, |mut taking| async move { Ok(taking.next().await?.map(|chunk| (chunk, taking))) }).boxed()
}

/// Reads until the caller is gone, or takes nothing for too long.
async fn read(mut body: Incoming, sender: mpsc::Sender<Piece>, watched: Watched, patience: Duration) {
    loop {
        let piece = tokio::select! {
            piece = body.chunk() => piece,
            () = sender.closed() => return,
        };
        let is_last = !matches!(piece, Ok(Some(_)));
        match tokio::time::timeout(patience, sender.send(piece)).await {
            Ok(Ok(())) if !is_last => {}
            Ok(Ok(())) => break,
            Ok(Err(_)) => return,
            Err(_) => return watched.unread(patience),
        }
    }
    drop(body);
    if tokio::time::timeout(patience, sender.closed()).await.is_err() {
        watched.unread(patience);
    }
}

impl Taking {
    async fn next(&mut self) -> Piece {
        // The task has gone without a last word: it was too long for it.
        let piece = self.pieces.recv().await.unwrap_or(Err(OutboundError::Idle(self.patience)));
        if let Some(watch) = self.watched.locked().as_mut() {
            match &piece {
                Ok(chunk) => watch.handed_on(chunk.as_ref()),
                Err(error) => watch.cut(error),
            }
        }
        piece
    }
}

/// Told at once, also where the caller goes away, and before the caller can know that all of it is through.
impl Drop for Taking {
    fn drop(&mut self) {
        drop(self.watched.locked().take());
    }
}

impl Watched {
    fn unread(&self, patience: Duration) {
        let watch = self.locked().take();
        if let Some(mut watch) = watch {
            watch.unread(patience);
        }
    }

    fn locked(&self) -> MutexGuard<'_, Option<Watch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
