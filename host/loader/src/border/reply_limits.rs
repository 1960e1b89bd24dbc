//! How large a plugin's answer may be, by kind.
//!
//! A value of seven bytes takes some hundreds of bytes of memory once it is read, so the values are
//! counted in the bytes before any of it is read.

use std::io;

use jackfield_plugin_abi::envelope::{Answer, CreateOut, HttpRequest, ProvidersOut, Reply, State, TaskOut, TaskResult};
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use thiserror::Error;

use super::out_of_bounds::{OutOfBounds, at_most};

/// Largest answer that is read off the plugin, in bytes: the largest request, in base64, with room
/// for the rest.
pub(crate) const LARGEST_REPLY: usize = 2 << 20;
/// Most values of one answer: objects, lists, and what is in them.
const MOST_VALUES: usize = 20_000;
/// Largest state of a setup, in bytes of JSON.
pub(super) const LARGEST_STATE: usize = 128 << 10;
/// Largest HTML of one page, in bytes.
pub(super) const LARGEST_HTML: usize = 64 << 10;
/// Largest icon, in bytes.
const LARGEST_ICON: usize = 64 << 10;
/// Largest body of a request that a plugin asks for, in bytes.
const LARGEST_BODY: usize = 1 << 20;
/// Largest rest of an answer, in bytes: all of it without what has a limit of its own.
const LARGEST_REST: usize = 256 << 10;
/// Answers above this many bytes are read on a thread of their own.
const LARGE: usize = 64 << 10;

/// Whether reading an answer takes long enough to hold up others.
pub(crate) const fn is_large(reply: &[u8]) -> bool {
    reply.len() > LARGE
}

/// The output of an op, with its parts that have a limit of their own.
pub trait Bounded {
    /// Checks these parts. Answers how many bytes of the answer they take.
    ///
    /// # Errors
    /// When one of them is too large.
    fn check_parts(&self) -> Result<usize, OutOfBounds>;
}

/// Why an answer is not taken.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// There is too much of something.
    #[error(transparent)]
    OutOfBounds(#[from] OutOfBounds),
    /// Not JSON of the right shape, at this line and column. The error's own text may quote what
    /// the plugin has sent.
    #[error("not a reply at line {0} column {1}")]
    NotAReply(usize, usize),
}

/// Reads an answer within its limits.
///
/// # Errors
/// When there is too much of something, or the bytes are no reply.
pub fn read_reply<T: DeserializeOwned + Bounded>(reply: &[u8]) -> Result<Reply<T>, Unreadable> {
    at_most("the answer", values_in(reply), MOST_VALUES, "values")?;
    let read: Reply<T> =
        serde_json::from_slice(reply).map_err(|error| Unreadable::NotAReply(error.line(), error.column()))?;
    check(&read, reply.len())?;
    Ok(read)
}

fn check<T: Bounded>(read: &Reply<T>, length: usize) -> Result<(), OutOfBounds> {
    let parts = read.ok.as_ref().map_or(Ok(0), Bounded::check_parts)?;
    at_most("the answer besides state, HTML, icon and body", length.saturating_sub(parts), LARGEST_REST, "bytes")
}

/// Counts the values of a JSON text without reading it: what opens an object or a list, and what
/// separates its members.
fn values_in(json: &[u8]) -> usize {
    let (mut count, mut is_text, mut is_escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' | b',' if !is_text => count += 1,
            _ => {}
        }
    }
    count
}

impl Bounded for ProvidersOut {
    fn check_parts(&self) -> Result<usize, OutOfBounds> {
        Ok(0)
    }
}

impl Bounded for CreateOut {
    fn check_parts(&self) -> Result<usize, OutOfBounds> {
        let icon = self.icon.as_ref().map_or(0, String::len);
        at_most("the icon", icon, LARGEST_ICON, "bytes")?;
        Ok(icon)
    }
}

impl Bounded for IgnoredAny {
    fn check_parts(&self) -> Result<usize, OutOfBounds> {
        Ok(0)
    }
}

impl Bounded for TaskOut {
    fn check_parts(&self) -> Result<usize, OutOfBounds> {
        match &self.result {
            TaskResult::AwaitsResponse { request: HttpRequest { body, .. }, .. } => {
                at_most("the body of the request", body.len(), LARGEST_BODY, "bytes")?;
                Ok(body.len().div_ceil(3) * 4)
            }
            TaskResult::Answered { answer, state } => Ok(check_state(state)? + html_of(answer)?),
            _ => Ok(0),
        }
    }
}

fn html_of(answer: &Answer) -> Result<usize, OutOfBounds> {
    let (Answer::Html { html } | Answer::Wait { html }) = answer else { return Ok(0) };
    at_most("the HTML of the page", html.len(), LARGEST_HTML, "bytes")?;
    Ok(html.len())
}

/// Checks the size of a setup's state, and answers it in bytes of JSON.
pub(super) fn check_state(state: &State) -> Result<usize, OutOfBounds> {
    let length = json_length(state);
    at_most("the state of the setup", length, LARGEST_STATE, "bytes of JSON")?;
    Ok(length)
}

/// How long a value is as JSON, without making the text.
pub(super) fn json_length(value: &impl Serialize) -> usize {
    let mut length = Length(0);
    // Nothing fails: the values have come as JSON, and counting does no I/O.
    let _ = serde_json::to_writer(&mut length, value);
    length.0
}

struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: DeserializeOwned + Bounded>(reply: &str) -> String {
        read_reply::<T>(reply.as_bytes()).err().map(|error| error.to_string()).unwrap_or_default()
    }

    fn answered(html: usize, state: usize) -> String {
        let (html, state) = ("h".repeat(html), "s".repeat(state));
        format!(
            r#"{{"ok":{{"turn":{{"kind":"answered","answer":{{"kind":"html","html":"{html}"}},"state":{{"a":"{state}"}}}}}}}}"#
        )
    }

    #[test]
    fn values_are_counted_outside_of_text() {
        for (json, count) in
            [("", 0), ("{}", 1), (r#"{"a":[1,2,3]}"#, 4), (r#"{"a,{[":"\",\\"}"#, 1), (r#"["\\",1]"#, 2)]
        {
            assert_eq!(values_in(json.as_bytes()), count, "{json}");
        }
    }

    #[test]
    fn a_state_of_the_smallest_objects_is_refused_before_it_is_read() {
        let objects = vec![r#"{"":0}"#; 20_000].join(",");
        let reply = format!(r#"{{"ok":{{"turn":{{"kind":"answered","state":{{"a":[{objects}]}}}}}}}}"#);
        assert_eq!(refused::<TaskOut>(&reply), "the answer: found 40005 values, at most 20000 are taken");
    }

    #[test]
    fn each_kind_of_answer_has_its_limit() {
        assert_eq!(refused::<TaskOut>(&answered(64 << 10, (128 << 10) - 8)), "");
        assert_eq!(
            refused::<TaskOut>(&answered((64 << 10) + 1, 0)),
            "the HTML of the page: found 65537 bytes, at most 65536 are taken"
        );
        assert_eq!(
            refused::<TaskOut>(&answered(0, (128 << 10) - 7)),
            "the state of the setup: found 131073 bytes of JSON, at most 131072 are taken"
        );
        let icon = |length: usize| format!(r#"{{"ok":{{"icon":"{}"}}}}"#, "i".repeat(length));
        assert_eq!(refused::<CreateOut>(&icon(64 << 10)), "");
        assert_eq!(refused::<CreateOut>(&icon(65537)), "the icon: found 65537 bytes, at most 65536 are taken");
        let built = format!(
            r#"{{"ok":{{"turn":{{"kind":"built","integration":{{"external_id":"P1","name":"{}"}}}}}}}}"#,
            "n".repeat(300_000)
        );
        assert!(refused::<TaskOut>(&built).ends_with("at most 262144 are taken"), "{}", refused::<TaskOut>(&built));
    }

    #[test]
    fn a_request_may_have_a_body_of_a_mebibyte() {
        let wants = |length: usize| {
            let request = HttpRequest::post("https://a.example/").body(vec![0; length]);
            let out = TaskOut { result: TaskResult::AwaitsResponse { task: 1, request } };
            serde_json::to_string(&Reply::ok(out)).expect("plain JSON")
        };
        assert_eq!(refused::<TaskOut>(&wants(1 << 20)), "");
        assert!(wants(1 << 20).len() < LARGEST_REPLY);
        assert_eq!(
            refused::<TaskOut>(&wants((1 << 20) + 1)),
            "the body of the request: found 1048577 bytes, at most 1048576 are taken"
        );
    }

    #[test]
    fn what_is_no_reply_is_told_by_its_place() {
        assert_eq!(refused::<TaskOut>("secret"), "not a reply at line 1 column 1");
    }
}
