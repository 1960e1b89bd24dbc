//! The end-to-end tests: the real binary, real plugins from real libraries, a real database, real
//! HTTP. Each folder says what belongs there; the three files beside them read the source.

mod accounts;
mod app;
mod attacks;
mod audit;
mod author;
mod bad_day;
mod checklist;
mod command_line;
mod compatibility;
mod connect;
mod connections;
mod counts;
mod embedding;
mod faults;
mod grants;
mod inbox;
mod integrations;
mod interop;
mod keys;
mod organizations;
mod outbox;
mod pages;
mod papers;
mod plugins;
mod providers;
mod proxy;
mod public_api;
mod revocations;
mod setup;
mod stand_ins;
mod store;
