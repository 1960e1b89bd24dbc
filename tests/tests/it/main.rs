//! The end-to-end tests: the real binary, real plugins from real libraries, a real database, real HTTP.

mod accounts;
mod browser;
mod checks;
mod demo;
mod dialog;
mod example;
mod harness;
mod listing;
mod loading;
mod misbehaving;
mod oauth2;
mod operator;
mod plugin_commands;
mod plugin_new;
mod reinstall;
mod reload;
mod secrets;
mod slack;
mod stage;
mod stand_in;
mod store;
mod tabs;
mod tidy;
