//! Serves HTTP/1.1 and HTTP/2 on a listener, and ends connections that only take up room.
//!
//! `serve` accepts (`accept`). `connection` runs one of them: `protocol` tells what it speaks, and
//! `http2` runs those with many streams. `answer` has a request answered, and counts it
//! (`under_way`). `activity` knows what a connection is at, and so how long it may last: without a
//! whole request head, without a request, with a body or an answer that hardly moves (`pace`). Of
//! HTTP/2 it knows by the frames (`frame_watch`), by how streams end (`request_count`) and by their
//! answers (`stream_watch`). `Slots` bounds their number below the limit of open files
//! (`file_limit`), and `limit_log` tells the operator. A client that is answered before it has sent
//! all (`request_rest`) can still read that (`linger`), as it can what has come of an answer that
//! breaks off (`busy_body`).

mod accept;
mod activity;
mod answer;
mod busy_body;
mod connection;
mod file_limit;
mod frame_watch;
mod http2;
mod http2_request;
#[cfg(test)]
mod http2_tests;
mod limit_log;
mod linger;
mod pace;
mod paced_body;
mod paced_stream;
mod protocol;
mod request_count;
mod request_rest;
#[cfg(test)]
mod rest_tests;
mod serve;
#[cfg(test)]
mod serve_tests;
mod slots;
mod stream_watch;
#[cfg(test)]
mod test_server;
mod under_way;

pub(crate) use accept::Accept;
pub use file_limit::raise_file_limit;
pub(crate) use file_limit::{most_connections, most_requests};
pub(crate) use serve::serve;
pub(crate) use slots::{Bounds, Slots};
pub(crate) use under_way::TooMany;
