//! A server on this machine that plays every service. Browsers get the pages of an authorization
//! endpoint. The host gets a token endpoint and an API: it sends all requests of the plugin here
//! (`[http] stand-in`).

mod consent_page;
mod grant;
mod issuers;
mod message;
mod server;
mod service;
mod token_endpoint;

pub(super) use server::StandIn;
