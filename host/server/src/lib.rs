//! The HTTP server of a Jackfield host: routes, pages, API, the control socket, and what builds a host from its settings.

pub mod app;
pub mod control;
pub mod startup;
pub mod telemetry;
pub mod web;
