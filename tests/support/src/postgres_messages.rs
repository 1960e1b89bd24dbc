//! What host and PostgreSQL say to each other, read as far as round trips can be counted: the
//! chapter "Frontend/Backend Protocol" of PostgreSQL's manual.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use crate::stand_in::locked;

/// What has been said so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How often the host has waited until PostgreSQL was ready again. Statements that are sent
    /// together, without waiting for each other's results, are one round trip.
    pub round_trips: u64,
    /// How many statements PostgreSQL was asked to execute, `BEGIN` and `COMMIT` included.
    pub statements: u64,
}

/// Counts over all connections of a relay.
#[derive(Debug, Default)]
pub(crate) struct TrafficCount {
    round_trips: AtomicU64,
    statements: AtomicU64,
}

/// Who has said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// One connection.
pub(crate) struct Conversation {
    count: Arc<TrafficCount>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    client: Messages,
    server: Messages,
    is_started: bool,
    /// How many answers of a single byte are due: to requests for encryption.
    single_bytes: usize,
    /// How many `ReadyForQuery` are due.
    waiting: u64,
}

/// Pieces of bytes, cut into messages.
#[derive(Default)]
struct Messages {
    /// The beginning of a message whose head is not complete.
    head: Vec<u8>,
    /// Bytes of the last message that are to come.
    rest: usize,
}

/// The code of a request for TLS, in the place of a version.
const SSL_REQUEST: u32 = 80_877_103;
/// The same for Kerberos.
const GSS_REQUEST: u32 = 80_877_104;
/// A request to cancel: nothing answers it.
const CANCEL_REQUEST: u32 = 80_877_102;

impl TrafficCount {
    pub(crate) fn now(&self) -> Traffic {
        let (round_trips, statements) = (&self.round_trips, &self.statements);
        Traffic { round_trips: round_trips.load(Ordering::SeqCst), statements: statements.load(Ordering::SeqCst) }
    }
}

impl Conversation {
    pub(crate) fn new(count: Arc<TrafficCount>) -> Self {
        Self { count, state: Mutex::default() }
    }

    /// Reads what one of them has said.
    pub(crate) fn heard(&self, side: Side, piece: &[u8]) {
        let mut state = locked(&self.state);
        match side {
            Side::Client => self.heard_client(&mut state, piece),
            Side::Server => state.heard_server(piece),
        }
    }

    fn heard_client(&self, state: &mut State, mut piece: &[u8]) {
        while !piece.is_empty() {
            if !state.is_started {
                let Some(head) = state.client.head(&mut piece, 8) else { return };
                let number = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
                state.client.rest = (number(0) as usize).saturating_sub(8);
                match number(4) {
                    SSL_REQUEST | GSS_REQUEST => state.single_bytes += 1,
                    CANCEL_REQUEST => {}
                    _ => {
                        state.is_started = true;
                        self.waits(state);
                    }
                }
                state.client.skip(&mut piece);
                continue;
            }
            let Some(kind) = state.client.next(&mut piece) else { return };
            if matches!(kind, b'Q' | b'E') {
                self.count.statements.fetch_add(1, Ordering::SeqCst);
            }
            if matches!(kind, b'Q' | b'S' | b'F') {
                self.waits(state);
            }
        }
    }

    /// The client has said something after which it is told that the server is ready.
    fn waits(&self, state: &mut State) {
        if state.waiting == 0 {
            self.count.round_trips.fetch_add(1, Ordering::SeqCst);
        }
        state.waiting += 1;
    }
}

impl State {
    fn heard_server(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            if self.single_bytes > 0 {
                self.single_bytes -= 1;
                piece = &piece[1..];
                continue;
            }
            let Some(kind) = self.server.next(&mut piece) else { return };
            if kind == b'Z' {
                self.waiting = self.waiting.saturating_sub(1);
            }
        }
    }
}

impl Messages {
    /// The kind of the next message that begins in a piece; `None` if none does. What is read is
    /// taken off the piece.
    fn next(&mut self, piece: &mut &[u8]) -> Option<u8> {
        self.skip(piece);
        let head = self.head(piece, 5)?;
        // The length counts itself and not the kind.
        self.rest = (u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize).saturating_sub(4);
        self.skip(piece);
        Some(head[0])
    }

    /// The first bytes of a message, once they are all there.
    fn head(&mut self, piece: &mut &[u8], length: usize) -> Option<Vec<u8>> {
        let taken = (length - self.head.len()).min(piece.len());
        self.head.extend_from_slice(&piece[..taken]);
        *piece = &piece[taken..];
        (self.head.len() == length).then(|| std::mem::take(&mut self.head))
    }

    fn skip(&mut self, piece: &mut &[u8]) {
        let skipped = self.rest.min(piece.len());
        self.rest -= skipped;
        *piece = &piece[skipped..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("a short body").to_be_bytes();
        [&[kind], &length[..], body].concat()
    }

    fn startup(code: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 8).expect("a short body").to_be_bytes();
        [&length[..], &code.to_be_bytes(), body].concat()
    }

    #[test]
    fn what_is_sent_together_is_one_round_trip() {
        let ready = message(b'Z', b"I");
        let all = |messages: &[(u8, &[u8])]| messages.iter().flat_map(|(kind, body)| message(*kind, body)).collect();
        let pipelined: Vec<u8> =
            all(&[(b'P', b"x"), (b'B', b"y"), (b'E', b"z"), (b'S', b""), (b'E', b"z"), (b'S', b"")]);
        let said = [
            (Side::Client, startup(SSL_REQUEST, b"")),
            (Side::Server, b"N".to_vec()),
            (Side::Client, startup(196_608, b"user\0jackfield\0\0")),
            (Side::Server, [message(b'R', &[0; 4]), ready.clone()].concat()),
            (Side::Client, message(b'Q', b"SELECT 1\0")),
            (Side::Server, [message(b'D', &[0; 300]), ready.clone()].concat()),
            (Side::Client, pipelined),
            (Side::Server, [ready.clone(), ready].concat()),
            (Side::Client, message(b'X', b"")),
        ];
        let expected = Traffic { round_trips: 3, statements: 3 };
        // However the bytes are cut.
        for size in [1, 2, 7, 1000] {
            let count = Arc::new(TrafficCount::default());
            let conversation = Conversation::new(count.clone());
            for (side, bytes) in &said {
                bytes.chunks(size).for_each(|piece| conversation.heard(*side, piece));
            }
            assert_eq!(count.now(), expected, "in pieces of {size}");
        }
    }
}
