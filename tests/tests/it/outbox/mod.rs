//! Events for programs: delivered to endpoints, and read by programs that cannot be reached.

mod deliveries;
mod endpoints;
mod failures;
mod outbox_app;
mod pages;
mod pull;
mod scale;
mod verifiers;
