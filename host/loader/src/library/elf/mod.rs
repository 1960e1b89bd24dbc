//! What a library asks of the system's loader, judged from its bytes, and a copy of it that runs
//! nothing while it is opened.
//!
//! The loader does more than map a file: it runs constructors, asks functions of the library which
//! of them to use (IFUNC), looks for further libraries, and makes the stack executable. All of it
//! happens before a sandbox can be closed, so nothing of it is left: [`deferred`] puts the
//! constructors behind tags that the loader does not know, and the rest is refused.
//!
//! [`image`] is the file as the loader maps it, [`dynamic`] the table that the loader reads,
//! [`symbols`] and [`relocations`] what it does with the rest.

mod deferred;
mod dynamic;
mod image;
mod relocations;
mod symbols;
mod tags;

pub(super) use deferred::{check, with_deferred_constructors};
pub(crate) use dynamic::MAY_NEED;
pub(crate) use tags::{LATE_INIT, LATE_INIT_ARRAY, LATE_INIT_ARRAY_SIZE};

#[cfg(test)]
mod tests;
