//! The yardstick: a server that does what the durable part of a setup needs and nothing else. It
//! takes the same three requests, exchanges the code, and writes the same rows with the same
//! indexes and blobs of the same size to SQLite with `synchronous=FULL`. It knows no sessions,
//! rights or plugins, seals and checks nothing.

mod process;
mod server;
mod tables;
mod writer;

pub(crate) use process::{COMMAND, Yardstick};
pub(crate) use server::serve;
