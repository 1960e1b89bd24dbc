//! Floor 2: the OAuth 2.0 steps that the host runs for a provider. Knows neither plugins nor session nor accounts.
//!
//! A provider describes its endpoints and gets two steps: [`log_in`] sends the person to the authorization endpoint (RFC 6749 section
//! 4.1.1), [`callback`] judges what came back (section 4.1.2) and exchanges the code for a token (section 4.1.3). The code is bound to the
//! set-up by a proof key (RFC 7636) unless the provider wants none.

mod assertion;
mod authorization;
mod client;
mod token;

pub use authorization::{CallbackError, LogIn, log_in};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
pub use client::{Parameters, authenticate, post_form};
use jackfield_plugin_abi::envelope::{OAuth2, Request, State};
use thiserror::Error;
use time::OffsetDateTime;
pub use token::{Refusal, TokenError, request_token, retry_after};

use crate::outbound::Outbound;

/// What the person reads when an answer is not one to a request of ours.
const INVALID: &str = "An error occurred while validating your request.";
/// What the person reads when the token endpoint refuses without saying why.
const NO_TOKEN: &str = "There was an error when retrieving a token from the upstream service.";
/// Longest provider-given text that is shown to a person, in characters.
const LONGEST_MESSAGE: usize = 200;

/// Why an OAuth 2.0 step ends the pipeline.
#[derive(Debug, Error)]
pub enum OAuth2Error {
    /// The authorization endpoint's answer is refused or says no.
    #[error(transparent)]
    Callback(#[from] CallbackError),
    /// The token endpoint gave no token.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl OAuth2Error {
    /// What the person may read; `None` when the fault is not theirs to know.
    #[must_use]
    pub fn public_message(&self) -> Option<String> {
        match self {
            Self::Callback(CallbackError::Refused(error)) => Some(cut(error)),
            Self::Callback(_) => Some(INVALID.to_owned()),
            Self::Token(TokenError::Refused(refusal)) => {
                Some(refusal.description.as_deref().map_or_else(|| NO_TOKEN.to_owned(), cut))
            }
            Self::Token(_) => None,
        }
    }
}

/// The callback step: on success the token answer is bound into the state as `data`.
///
/// # Errors
/// When the answer is refused or no token comes; the state's `state` and code verifier are used up either way.
pub async fn callback(
    oauth2: &OAuth2,
    request: &Request,
    state: &mut State,
    outbound: &Outbound,
    now: OffsetDateTime,
) -> Result<(), OAuth2Error> {
    let code = authorization::take_code(request, state)?;
    let data = token::exchange(oauth2, &code, &request.setup_url, outbound, now).await?;
    state.insert("data".to_owned(), data.into());
    Ok(())
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST_MESSAGE).collect()
}

/// 256 bits from the operating system's generator: RFC 6749 section 10.10 asks for at least 128 in a state, RFC 7636 section 4.1 for 256
/// in a verifier, and for 43 to 128 characters, of which this has 43; OpenID Connect Core 1.0 section 15.5.2 for as much in a nonce.
fn random_text() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system has a random generator");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
