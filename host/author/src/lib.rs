//! What authors of plugins run: `plugin new` and `plugin dev`.

pub mod dev;
pub mod new_plugin;
