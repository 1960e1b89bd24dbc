//! The Jackfield host, as rooms on floors: a room imports rooms on lower floors only (a test in `tests/` holds this).

pub mod accounts;
pub mod app;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod dev;
pub mod grants;
pub mod integrations;
pub mod jose;
pub mod keys;
pub mod oauth2;
pub mod outbound;
pub mod pipeline;
pub mod plugins;
pub mod proxy;
pub mod reload;
pub mod session;
pub mod startup;
pub mod store;
pub mod telemetry;
pub mod web;

pub use cli::{main, main_from};
