//! The frames of HTTP/2 that a client sends, as far as they say what it is up to. Pure.
//!
//! The HTTP library tells of a request when its whole head is there. So only the frames show that a
//! client sends a head byte by byte, or sends frames that ask for nothing and cost the host work.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes of a frame's head (RFC 9113 section 4.1).
const FRAME_HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Frames in a second that ask for nothing, on average, and at once.
const EMPTY_FRAMES_A_SECOND: u32 = 1000;
const MOST_EMPTY_FRAMES: u32 = 10_000;

/// Follows the frames of one client.
pub(super) struct FrameWatch {
    head: [u8; FRAME_HEAD],
    filled: usize,
    /// Bytes of the payload that have not come.
    left: usize,
    /// Between the first and the last frame of a request's head.
    is_in_headers: bool,
    /// How many frames or heads of requests have come whole.
    whole: u64,
    empty: u32,
    emptied: Instant,
}

/// What the client is sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// Nothing, or a body.
    Nothing,
    /// A frame or the head of a request, of which more must come. The number tells it from others.
    Part(u64),
    /// More frames that ask for nothing than anybody needs.
    Flood,
}

impl FrameWatch {
    /// For what follows the preface.
    pub(super) fn new() -> Self {
        Self {
            head: [0; FRAME_HEAD],
            filled: 0,
            left: 0,
            is_in_headers: false,
            whole: 0,
            empty: 0,
            emptied: Instant::now(),
        }
    }

    /// These bytes have come.
    pub(super) fn received(&mut self, mut bytes: &[u8]) -> Sending {
        while !bytes.is_empty() {
            let taken = if self.filled < FRAME_HEAD { self.take_head(bytes) } else { self.take_payload(bytes) };
            bytes = &bytes[taken..];
            if self.filled == FRAME_HEAD && self.left == 0 {
                self.filled = 0;
                if !self.is_in_headers {
                    self.whole += 1;
                }
            }
            if self.empty > MOST_EMPTY_FRAMES && self.is_flooded() {
                return Sending::Flood;
            }
        }
        let is_in_body = self.filled == FRAME_HEAD && self.kind() == DATA;
        match self.is_in_headers || (self.filled > 0 && !is_in_body) {
            true => Sending::Part(self.whole),
            false => Sending::Nothing,
        }
    }

    fn take_head(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(FRAME_HEAD - self.filled);
        self.head[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
        self.filled += taken;
        if self.filled == FRAME_HEAD {
            self.begin_frame();
        }
        taken
    }

    fn take_payload(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.left);
        self.left -= taken;
        taken
    }

    const fn kind(&self) -> u8 {
        self.head[3]
    }

    fn begin_frame(&mut self) {
        let [a, b, c, kind, flags, ..] = self.head;
        self.left = u32::from_be_bytes([0, a, b, c]) as usize;
        if matches!(kind, HEADERS | CONTINUATION) {
            self.is_in_headers = flags & END_HEADERS == 0;
        }
        let asks_for_something = match kind {
            DATA => self.left > 0 || flags & END_STREAM != 0,
            HEADERS | WINDOW_UPDATE => true,
            CONTINUATION => self.left > 0,
            _ => false,
        };
        self.empty += u32::from(!asks_for_something);
    }

    /// Takes off what may have come in the time that has passed.
    fn is_flooded(&mut self) -> bool {
        let passed = self.emptied.elapsed().min(Duration::from_secs(3600));
        let allowed = (passed.as_secs_f64() * f64::from(EMPTY_FRAMES_A_SECOND)) as u32;
        self.empty = self.empty.saturating_sub(allowed);
        self.emptied = Instant::now();
        self.empty > MOST_EMPTY_FRAMES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize, kind: u8, flags: u8) -> Vec<u8> {
        let length = u32::try_from(length).expect("short").to_be_bytes();
        let head = [length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        [&head[..], &vec![0; u32::from_be_bytes(length) as usize]].concat()
    }

    #[tokio::test]
    async fn a_head_is_awaited_from_its_first_byte_to_its_last() {
        let mut watch = FrameWatch::new();
        let head = [frame(20, HEADERS, 0), frame(5, CONTINUATION, 0), frame(0, CONTINUATION, END_HEADERS)].concat();
        let (last, before) = head.split_last().expect("it is not empty");
        for byte in before {
            assert_eq!(watch.received(&[*byte]), Sending::Part(0));
        }
        assert_eq!(watch.received(&[*last]), Sending::Nothing);
        assert_eq!(watch.received(&frame(20, HEADERS, END_HEADERS)[..12]), Sending::Part(1), "it is another one");
    }

    #[tokio::test]
    async fn a_body_has_a_pace_of_its_own_so_that_its_frames_are_not_awaited() {
        let mut watch = FrameWatch::new();
        let data = frame(100, DATA, 0);
        assert_eq!(watch.received(&data[..4]), Sending::Part(0));
        assert_eq!(watch.received(&data[4..50]), Sending::Nothing);
        assert_eq!(watch.received(&data[50..]), Sending::Nothing);
        assert_eq!(watch.received(&frame(8, 6, 0)[..10]), Sending::Part(1), "a ping is awaited");
    }

    #[tokio::test(start_paused = true)]
    async fn frames_that_ask_for_nothing_are_a_flood_if_they_are_many_at_once() {
        for (what, is_flood) in [
            (frame(8, 6, 0), true),
            (frame(0, 4, 0), true),
            (frame(4, 3, 0), true),
            (frame(5, 2, 0), true),
            (frame(0, DATA, 0), true),
            (frame(0, 200, 0), true),
            (frame(4, WINDOW_UPDATE, 0), false),
            (frame(1, DATA, 0), false),
            (frame(10, HEADERS, END_HEADERS), false),
        ] {
            let mut watch = FrameWatch::new();
            let flooded = (0..20_000).any(|_| watch.received(&what) == Sending::Flood);
            assert_eq!(flooded, is_flood, "{:?}", &what[..9]);
        }
        let mut watch = FrameWatch::new();
        for _ in 0..60 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!((0..900).all(|_| watch.received(&frame(8, 6, 0)) == Sending::Nothing), "a busy client pings");
        }
    }
}
