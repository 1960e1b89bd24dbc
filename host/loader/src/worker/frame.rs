//! What goes over the socket: a length, the number of the call, and bytes. The same in both directions.
//!
//! `length: u32 LE` (of what follows), `call: u64 LE`, payload. A question's payload is the op's length in one byte, the op and the
//! JSON body; an answer's is the JSON reply. Call 0 is the worker's [`Ready`].

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use super::sandbox::Sandbox;

/// Bytes before the payload.
pub(super) const HEAD: usize = LENGTH + CALL;
const LENGTH: usize = size_of::<u32>();
const CALL: usize = size_of::<u64>();

/// The call of [`Ready`]; questions count from 1.
pub(super) const READY: u64 = 0;

/// What a worker says first.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Ready {
    /// What holds it.
    pub(super) sandbox: Sandbox,
    /// Why it cannot answer questions; `None` when it can.
    pub(super) failed: Option<String>,
}

/// A frame with everything in place; `None` where the payload is too long for one.
pub(super) fn frame(call: u64, parts: &[&[u8]]) -> Option<Vec<u8>> {
    let payload: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(CALL + payload).ok()?;
    let mut frame = Vec::with_capacity(HEAD + payload);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&call.to_le_bytes());
    parts.iter().for_each(|part| frame.extend_from_slice(part));
    Some(frame)
}

/// The head of a frame: the payload's length and the call; `None` where the length does not even hold the call.
pub(super) fn head(bytes: [u8; HEAD]) -> Option<(usize, u64)> {
    let (length, call) = bytes.split_first_chunk::<LENGTH>()?;
    let payload = usize::try_from(u32::from_le_bytes(*length)).ok()?.checked_sub(CALL)?;
    Some((payload, u64::from_le_bytes(call.try_into().ok()?)))
}

/// A question as the worker reads it.
pub(super) struct Question {
    pub(super) call: u64,
    payload: Vec<u8>,
}

impl Question {
    /// Waits for the next; `None` when the host has closed its end.
    pub(super) fn read(socket: &mut impl Read) -> io::Result<Option<Self>> {
        let mut bytes = [0; HEAD];
        match socket.read_exact(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let (length, call) = head(bytes).ok_or(io::ErrorKind::InvalidData)?;
        let mut payload = vec![0; length];
        socket.read_exact(&mut payload)?;
        Ok(Some(Self { call, payload }))
    }

    /// The op and its body.
    pub(super) fn parts(&self) -> Option<(&str, &[u8])> {
        let (length, rest) = self.payload.split_first()?;
        let (op, body) = rest.split_at_checked(usize::from(*length))?;
        Some((std::str::from_utf8(op).ok()?, body))
    }
}

/// A question as the host writes it.
pub(super) fn question(call: u64, op: &str, body: &[u8]) -> Option<Vec<u8>> {
    let length = u8::try_from(op.len()).ok()?;
    frame(call, &[&[length], op.as_bytes(), body])
}

/// An answer as the worker writes it.
pub(super) fn answer(socket: &mut impl Write, call: u64, reply: &[u8]) -> io::Result<()> {
    let frame = frame(call, &[reply]).ok_or(io::ErrorKind::InvalidData)?;
    socket.write_all(&frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_as_it_was_written() {
        let bytes = question(7, "start", b"{}").expect("it is short");
        insta::assert_snapshot!(format!("{bytes:?}"), @"[16, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 5, 115, 116, 97, 114, 116, 123, 125]");
        let question = Question::read(&mut bytes.as_slice()).expect("whole").expect("there is one");
        assert_eq!((question.call, question.parts()), (7, Some(("start", b"{}".as_slice()))));
    }

    #[test]
    fn a_closed_socket_is_an_end_and_a_cut_frame_an_error() {
        let bytes = question(7, "start", b"{}").expect("it is short");
        assert!(Question::read(&mut [].as_slice()).expect("an end").is_none());
        assert!(Question::read(&mut &bytes[..HEAD + 2]).is_err());
    }

    #[test]
    fn a_head_that_cannot_be_is_none() {
        assert_eq!(head([7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None, "shorter than the call's number");
        assert_eq!(head([8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]), Some((0, 1)));
        assert_eq!(head([0xff; HEAD]), Some((u32::MAX as usize - CALL, u64::MAX)));
    }
}
