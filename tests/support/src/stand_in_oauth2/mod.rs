//! A server that plays the authorization server and the API of any service, by its profile. It is
//! strict: it refuses what the service does not allow.
//!
//! A service is below `/{id}/{host}`: what is at `https://github.com/login` in reality is at
//! `/github/github.com/login` here.

mod api;
mod assertion;
mod authorize;
mod client;
mod grant;
mod id_token;
mod issuer;
mod issuer_documents;
mod issuer_identifier;
mod issuing;
mod refresh;
mod request;
mod responses;
mod revoke;
mod server;
mod service_profile;
mod shared;
mod token;

pub use assertion::{CLIENT_KEY, CLIENT_KEY_ID};
pub use client::{CLIENT, SECRET};
pub use id_token::SUBJECT;
pub use issuer::{Iss, Issuer, Metadata, Place, Userinfo, WrongIdToken};
pub use server::StandInOAuth2;
pub use service_profile::{Answers, Authentication, Body, Pkce, ServiceProfile};
