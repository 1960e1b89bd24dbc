//! OAuth 2.0 and OpenID Connect as a client: the steps and requests that the host runs for a
//! provider.
//!
//! A provider describes its endpoints, or names its issuer. [`AuthorizationServer::log_in`] sends
//! the person to the authorization endpoint (RFC 6749 section 4.1.1).
//! [`AuthorizationServer::callback`] checks what comes back (section 4.1.2), exchanges the code for
//! a token (section 4.1.3) and verifies the ID token that comes with it (OpenID Connect Core 1.0
//! section 3.1.3.7). A proof key (RFC 7636) binds the code to the setup, unless the provider wants
//! none. What a provider leaves out is read from its issuer ([`Issuers`], RFC 8414).
//!
//! Knows neither plugins nor sessions nor accounts.

mod answer_words;
mod assertion;
mod authorization;
mod callback_error;
mod client;
mod coalesced_fetch;
mod content_type;
mod error;
mod id_token;
mod issuer;
mod issuers;
pub mod jose;
mod metadata;
mod metadata_document;
mod provider_text;
mod random;
mod refresh;
mod refresh_refusal;
mod retry_after;
mod revocation;
mod scopes;
mod server;
mod steps;
mod token;
mod token_body;
mod token_error;
mod userinfo;

pub use answer_words::AnswerWords;
pub use authorization::{LoginOutcome, foreign_answer, is_answer};
pub use callback_error::CallbackError;
pub use client::{Parameters, authenticate, post_form};
pub use error::OAuth2Error;
pub use id_token::IdTokenError;
pub use issuers::Issuers;
pub use metadata::DiscoveryError;
pub use provider_text::truncated;
pub use refresh::refresh;
pub use retry_after::retry_after;
pub use revocation::{RevocationError, RevocationResponse, TokenKind, revoke};
pub use scopes::{ScopeComparison, sorted_scopes};
pub use server::AuthorizationServer;
pub use token_error::{Refusal, TokenError};
pub use userinfo::UserinfoError;
