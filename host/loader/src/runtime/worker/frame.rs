//! The format on the socket: a length, the number of the call, and a payload. The same in both
//! directions.
//!
//! `length: u32 LE` (of what follows), `call: u64 LE`, payload. The payload of a call is the op's
//! length in one byte, the op and the JSON body; that of a reply is the JSON. Call 0 is the start:
//! the worker says what confines it, the host looks whether that is so and answers with an empty
//! payload, and then the library runs and the worker is [`Ready`].

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

/// Bytes before the payload.
pub(super) const HEAD: usize = LENGTH + CALL;
const LENGTH: usize = size_of::<u32>();
const CALL: usize = size_of::<u64>();

/// The call of the messages before the first call; the others count from 1.
pub(super) const START: u64 = 0;

/// A worker's second message. It comes after code of the library has run, so that no more than that
/// hangs on it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Ready {
    /// Why it cannot take calls; `None` when it can.
    pub(super) failed: Option<String>,
}

/// A whole frame; `None` if the payload is too long for one.
pub(super) fn frame(call: u64, parts: &[&[u8]]) -> Option<Vec<u8>> {
    let payload: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(CALL + payload).ok()?;
    let mut frame = Vec::with_capacity(HEAD + payload);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&call.to_le_bytes());
    parts.iter().for_each(|part| frame.extend_from_slice(part));
    Some(frame)
}

/// The head of a frame: the payload's length and the call. `None` if the length has no room for the
/// call.
pub(super) fn head(bytes: [u8; HEAD]) -> Option<(usize, u64)> {
    let (length, call) = bytes.split_first_chunk::<LENGTH>()?;
    let payload = usize::try_from(u32::from_le_bytes(*length)).ok()?.checked_sub(CALL)?;
    Some((payload, u64::from_le_bytes(call.try_into().ok()?)))
}

/// A call as the worker reads it.
pub(super) struct Call {
    pub(super) number: u64,
    payload: Vec<u8>,
}

impl Call {
    /// Whether it is the host's [`go_ahead`].
    pub(super) fn is_go_ahead(&self) -> bool {
        self.number == START && self.payload.is_empty()
    }

    /// Waits for the next call; `None` when the host has closed its end.
    pub(super) fn read(socket: &mut impl Read) -> io::Result<Option<Self>> {
        let mut bytes = [0; HEAD];
        match socket.read_exact(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let (length, number) = head(bytes).ok_or(io::ErrorKind::InvalidData)?;
        let mut payload = vec![0; length];
        socket.read_exact(&mut payload)?;
        Ok(Some(Self { number, payload }))
    }

    /// The op and its body.
    pub(super) fn parts(&self) -> Option<(&str, &[u8])> {
        let (length, rest) = self.payload.split_first()?;
        let (op, body) = rest.split_at_checked(usize::from(*length))?;
        Some((std::str::from_utf8(op).ok()?, body))
    }
}

/// The host's word that the library may run.
pub(super) fn go_ahead() -> Option<Vec<u8>> {
    frame(START, &[])
}

/// A call as the host writes it.
pub(super) fn call(number: u64, op: &str, body: &[u8]) -> Option<Vec<u8>> {
    let length = u8::try_from(op.len()).ok()?;
    frame(number, &[&[length], op.as_bytes(), body])
}

/// A reply as the worker writes it.
pub(super) fn reply(socket: &mut impl Write, number: u64, reply: &[u8]) -> io::Result<()> {
    let frame = frame(number, &[reply]).ok_or(io::ErrorKind::InvalidData)?;
    socket.write_all(&frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_as_it_was_written() {
        let bytes = call(7, "start", b"{}").expect("it is short");
        insta::assert_snapshot!(format!("{bytes:?}"), @"[16, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 5, 115, 116, 97, 114, 116, 123, 125]");
        let call = Call::read(&mut bytes.as_slice()).expect("whole").expect("there is one");
        assert_eq!((call.number, call.parts()), (7, Some(("start", b"{}".as_slice()))));
    }

    #[test]
    fn the_library_runs_at_the_hosts_word_only() {
        let read = |bytes: Option<Vec<u8>>| Call::read(&mut bytes.expect("short").as_slice()).expect("whole");
        assert!(read(go_ahead()).is_some_and(|call| call.is_go_ahead()));
        assert!(read(call(0, "start", b"{}")).is_some_and(|call| !call.is_go_ahead()));
    }

    #[test]
    fn a_closed_socket_is_an_end_and_a_cut_frame_an_error() {
        let bytes = call(7, "start", b"{}").expect("it is short");
        assert!(Call::read(&mut [].as_slice()).expect("an end").is_none());
        assert!(Call::read(&mut &bytes[..HEAD + 2]).is_err());
    }

    #[test]
    fn a_head_that_cannot_be_is_none() {
        assert_eq!(head([7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None, "shorter than the call's number");
        assert_eq!(head([8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]), Some((0, 1)));
        assert_eq!(head([0xff; HEAD]), Some((u32::MAX as usize - CALL, u64::MAX)));
    }
}
