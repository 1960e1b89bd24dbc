//! Routes, layers, handlers, pages. Knows neither the database nor the plugin abi.
//!
//! Every URL is in `routes`, every layer in `layers` with its reason. A handler extracts, calls
//! one verb of a service and answers. The folders are grouped as the routes are: `pages` for
//! people, `api` for programs, `inbound` for services.

mod api;
mod auth;
mod client_address;
mod compression;
mod connect_cookie;
mod csrf;
mod device_cookie;
mod error;
mod headers;
mod health;
mod html;
mod inbound;
mod layers;
mod overload;
mod pages;
mod plain_text;
mod redirects;
mod request_id;
mod request_log;
mod request_origin;
mod routes;
mod shown;
mod speculative;
mod token_limit;

pub(crate) use error::starting;
pub(crate) use health::file_names;
pub use pages::RedirectTarget;
pub use routes::router;
