//! Floor 5: routes, layers, handlers, pages. Knows neither diesel nor the plugin abi.
//!
//! Every URL is in `routes`, every layer in `layers` with its reason; a handler extracts, calls one verb and answers.

mod access;
mod account;
mod answer;
mod api;
mod assets;
mod audit;
mod caller;
mod calls;
mod deeds;
mod error;
mod events;
mod failed_checks;
mod fields;
mod frame;
mod headers;
mod health;
mod icons;
mod integration;
mod integrations;
mod layers;
mod login;
mod notice;
mod origin;
mod routes;
mod setup;
mod shown;
mod webhook;

pub use routes::router;
pub use setup::LeadsTo;
