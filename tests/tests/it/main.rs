//! The end-to-end tests: the real binary, real plugins from real libraries, a real database, real HTTP.

mod accounts;
mod browser;
mod checks;
mod demo;
mod dialog;
mod example;
mod listing;
mod loading;
mod misbehaving;
mod oauth2;
mod operator;
mod provenance;
mod reinstall;
mod secrets;
mod slack;
mod stage;
mod stand_in;
mod store;
mod tabs;
mod tidy;
