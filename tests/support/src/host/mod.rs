//! The real host as a child process, with a configuration, plugins and a database of its own.

mod host_builder;
mod host_folder;
mod program;
mod running_host;

pub use crate::libraries::{built_library, library_folder, write_library};
pub use host_builder::HostBuilder;
pub use host_folder::Folder;
pub use program::Program;
pub use running_host::Host;
