//! Keeps the tokens of integrations fresh, and ends those that their service has ended.
//!
//! [`Grants::access_token`] gives a token that lives a while. One that is about to expire is
//! refreshed first: once for all who ask on this host, and by a lease in the database once for all
//! hosts. New tokens are written before anybody gets them. [`Grants::run`] refreshes in the
//! background what nobody asks for. [`Grants::handle_event`] takes a service's word that it has
//! ended some. [`grants_of_setup`] turns what a setup has brought into grants.
//!
//! Knows neither sessions nor accounts. Tokens that are out of use belong to
//! [`revocations`](crate::revocations).

mod access_token;
mod background;
mod events;
mod freshness;
mod from_setup;
mod grant_service;
mod new_tokens;
mod refresh;
mod rejected;
mod token_source;

pub use access_token::{AccessToken, GrantError, GrantSelector};
pub use events::EventOutcome;
pub use from_setup::grants_of_setup;
pub use grant_service::Grants;
pub use jackfield_oauth2::Issuers;
pub use jackfield_store::{
    GrantId,
    grants::{Grant, Status},
    token_grants::IntegrationGrants,
};
pub use token_source::TokenSource;
