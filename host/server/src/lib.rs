//! The HTTP server of a Jackfield host: routes, pages, API, control socket, startup.

pub mod app;
pub mod connections;
pub mod control;
pub mod startup;
pub mod telemetry;
pub mod web;
