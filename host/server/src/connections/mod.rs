//! Serves HTTP/1.1 on a listener, and ends connections that only take up room.
//!
//! `serve` accepts. `connection` runs one of them. `activity` knows what a connection is at, and
//! so how long it may last: without a whole request head, without a request, with a body or an
//! answer that hardly moves (`pace`). `Slots` bounds their number below the limit of open files
//! (`file_limit`).

mod activity;
mod connection;
mod file_limit;
mod pace;
mod paced_body;
mod paced_stream;
mod serve;
mod slots;

pub use file_limit::raise_file_limit;
pub(crate) use serve::serve;
pub(crate) use slots::Slots;
