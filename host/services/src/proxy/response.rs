//! The answer's body on its way to the caller.
//!
//! A task of its own reads it, because nobody polls for more while the caller takes nothing. The
//! task ends the call when the idle time is over, and closes the connection to the service.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{BoxStream, try_unfold},
};
use http_body::Frame;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{access_log::AccessLogEntry, trailers};
use jackfield_outbound::{Incoming, OutboundError};

/// The body of an answer, as it comes, with its trailers.
pub type ResponseBody = BoxStream<'static, Result<Frame<Bytes>, OutboundError>>;

/// What the task sends. `None` is the end of the body: a closed channel alone could also mean that
/// the task gave up.
type Chunk = Result<Option<Frame<Bytes>>, OutboundError>;

/// The log entry of a call, until the reader or the caller is done with it.
#[derive(Clone)]
struct SharedEntry(Arc<Mutex<Option<AccessLogEntry>>>);

/// What the caller's connection holds.
struct Forwarded {
    chunks: mpsc::Receiver<Chunk>,
    log: SharedEntry,
    idle_timeout: Duration,
}

/// Forwards the body of an answer and logs the call at its end. The caller may take nothing of it
/// for `idle_timeout` at most.
pub(super) fn forward(body: Incoming, log: AccessLogEntry, idle_timeout: Duration) -> ResponseBody {
    let (sender, chunks) = mpsc::channel(1);
    let log = SharedEntry(Arc::new(Mutex::new(Some(log))));
    tokio::spawn(read(body, sender, log.clone(), idle_timeout));
    let forwarded = Forwarded { chunks, log, idle_timeout };
    try_unfold(forwarded, |mut forwarded| async move { Ok(forwarded.next().await?.map(|chunk| (chunk, forwarded))) })
        .boxed()
}

/// Reads until the body ends, the caller is gone, or the caller takes nothing for too long.
async fn read(mut body: Incoming, sender: mpsc::Sender<Chunk>, log: SharedEntry, idle_timeout: Duration) {
    loop {
        let chunk = tokio::select! {
            frame = body.frame() => frame.map(|frame| frame.map(trailers::of_an_answer)),
            () = sender.closed() => return,
        };
        let is_last = !matches!(chunk, Ok(Some(_)));
        match tokio::time::timeout(idle_timeout, sender.send(chunk)).await {
            Ok(Ok(())) if !is_last => {}
            Ok(Ok(())) => break,
            Ok(Err(_)) => return,
            Err(_) => return log.not_read(idle_timeout),
        }
    }
    drop(body);
    if tokio::time::timeout(idle_timeout, sender.closed()).await.is_err() {
        log.not_read(idle_timeout);
    }
}

impl Forwarded {
    async fn next(&mut self) -> Chunk {
        // The task ended without a last message: the caller was idle for too long.
        let chunk = self.chunks.recv().await.unwrap_or(Err(OutboundError::Idle(self.idle_timeout)));
        if let Some(log) = self.log.0.lock().as_mut() {
            match &chunk {
                Ok(chunk) => log.forwarded(chunk.as_ref().and_then(Frame::data_ref)),
                Err(error) => log.cut(error),
            }
        }
        chunk
    }
}

/// Logs at once, also when the caller goes away, and before the caller can know that it has all.
impl Drop for Forwarded {
    fn drop(&mut self) {
        drop(self.log.0.lock().take());
    }
}

impl SharedEntry {
    fn not_read(&self, idle_timeout: Duration) {
        let entry = self.0.lock().take();
        if let Some(mut entry) = entry {
            entry.not_read(idle_timeout);
        }
    }
}
