//! The end of a connection on which the client may still be sending.
//!
//! A socket that is closed while bytes are unread is reset, and a reset destroys what the client
//! has not read yet: the answer. So this end stops sending, and reads on for a while (RFC 9112
//! section 9.6).

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout_at},
};

/// How long a host that stops waits for clients to take a refusal.
pub(super) const LAST_REFUSALS: Duration = Duration::from_secs(1);

/// Longest time to read on.
const LONGEST: Duration = Duration::from_secs(30);

/// Longest time in which nothing comes.
const SILENCE: Duration = Duration::from_secs(5);

/// Most bytes to read on, more than most uploads have left when their answer arrives.
const MOST_BYTES: usize = 256 << 20;

/// Stops sending, and drops what comes until the client closes its end.
pub(super) async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let (end, mut left) = (Instant::now() + LONGEST, MOST_BYTES);
    let mut dropped = vec![0; 16 << 10];
    while left > 0 {
        let deadline = end.min(Instant::now() + SILENCE);
        match timeout_at(deadline, stream.read(&mut dropped)).await {
            Ok(Ok(length @ 1..)) => left = left.saturating_sub(length),
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_client_after_a_silence_or_in_time() {
        let began = Instant::now();
        let (ours, theirs) = duplex(64);
        drop(theirs);
        linger(ours).await;
        assert_eq!(began.elapsed().as_secs(), 0);

        let (ours, _theirs) = duplex(64);
        linger(ours).await;
        assert_eq!(began.elapsed(), SILENCE);

        let (ours, mut theirs) = duplex(64);
        let began = Instant::now();
        let sending = tokio::spawn(async move {
            while theirs.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        linger(ours).await;
        assert_eq!(began.elapsed(), LONGEST);
        sending.await.expect("it sends until nobody reads");
    }
}
