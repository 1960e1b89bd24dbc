//! What authors of plugins run: `plugin new`, `plugin dev`, `plugin check`, `plugin key` and
//! `plugin sign`.

pub mod check;
pub mod dev;
pub mod new_plugin;
pub mod signing_key;
