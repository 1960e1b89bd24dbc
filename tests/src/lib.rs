//! What the end-to-end tests and the demo stand on: the real host as a child process, stand-in services, and people.

pub mod browser;
pub mod counterparts;
pub mod host;
pub mod kills;
pub mod libraries;
pub mod person;
pub mod postgres;
pub mod processes;
pub mod raw;
pub mod stand_in;
pub mod stand_in_oauth2;
pub mod stand_in_slack;
