//! Changes a running host to what its configuration file says now. Knows nothing of HTTP.
//!
//! Everything new is read, started and checked before anything old ends. If something is wrong, all
//! stays as it was.

mod late_plugins;
mod reload_entries;
mod reloaded;
mod reloader;

pub use reloaded::{ReloadError, Reloaded};
pub use reloader::Reloader;
