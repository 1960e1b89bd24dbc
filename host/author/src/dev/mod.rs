//! `jackfield plugin dev`: a host for one plugin while it is being written. Knows neither diesel
//! nor the plugin abi.
//!
//! `cargo_build` builds a `project`. A `sandbox_folder` tries the library before the host
//! reloads it; `watch` says when to do that again. The `stand_in` answers in the place of the
//! internet, by the answers in a `dev_file`. `redirect_to_stand_in` sends browsers there too,
//! and a `login_link` logs one in. The `terminal` shows what happens. Nothing is left at the
//! end.
//!
//! No host that people use has any of this: what is special about this host is put around its
//! routes here, and nowhere else.

mod cargo_build;
mod dev_file;
mod dev_server;
mod failure;
mod login_link;
mod project;
mod redirect_to_stand_in;
mod sandbox_folder;
mod stand_in;
mod terminal;
mod watch;

pub use dev_server::{DevOptions, run};
pub use project::ProjectError;
pub use terminal::log_layer;
