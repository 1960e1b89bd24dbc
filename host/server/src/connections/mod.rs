//! Serves HTTP/1.1 on a listener, and ends connections that only take up room.
//!
//! `serve` accepts (`accept`). `connection` runs one of them. `activity` knows what a connection is
//! at, and so how long it may last: without a whole request head, without a request, with a body or
//! an answer that hardly moves (`pace`). `Slots` bounds their number below the limit of open files
//! (`file_limit`), and `limit_log` tells the operator. A client that is answered before it has sent
//! all (`request_rest`) can still read that (`linger`), as it can what has come of an answer that
//! breaks off (`busy_body`).

mod accept;
mod activity;
mod busy_body;
mod connection;
mod file_limit;
mod limit_log;
mod linger;
mod pace;
mod paced_body;
mod paced_stream;
mod request_rest;
mod serve;
#[cfg(test)]
mod serve_tests;
mod slots;

pub(crate) use accept::Accept;
pub(crate) use file_limit::most_connections;
pub use file_limit::raise_file_limit;
pub(crate) use serve::serve;
pub(crate) use slots::{Bounds, Slots};
