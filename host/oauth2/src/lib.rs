//! Floor 2: the OAuth 2.0 steps that the host runs for a provider. Knows neither plugins nor session nor accounts.
//!
//! A provider describes its endpoints, or names its issuer, and gets two steps: [`Server::log_in`] sends the person to the authorization
//! endpoint (RFC 6749 section 4.1.1), [`Server::callback`] judges what came back (section 4.1.2), exchanges the code for a token (section
//! 4.1.3) and verifies the ID token that comes along (OpenID Connect Core 1.0 section 3.1.3.7). The code is bound to the set-up by a proof
//! key (RFC 7636) unless the provider wants none. What a provider leaves unsaid is read from its issuer ([`Issuers`], RFC 8414).

mod assertion;
mod authorization;
mod client;
mod failure;
mod id_token;
mod issuers;
pub mod jose;
mod metadata;
mod revocation;
mod scopes;
mod server;
mod token;
mod userinfo;

pub use authorization::{CallbackError, LogIn};
use authorization::{Code, ExpectedIssuer, asks_for_id_token};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
pub use client::{Parameters, authenticate, post_form};
pub use id_token::IdTokenError;
pub use issuers::Issuers;
use jackfield_plugin_abi::envelope::{Request, State};
pub use metadata::DiscoveryError;
pub use revocation::{RevocationError, Taken, TokenKind, revoke};
pub use scopes::Scopes;
pub use server::Server;
use thiserror::Error;
use time::OffsetDateTime;
pub use token::{Refusal, TokenError, request_token, retry_after};
pub use userinfo::UserinfoError;

use crate::jose::Signed;
use jackfield_outbound::OutboundError;

/// What the person reads when an answer is not one to a request of ours.
const INVALID: &str = "An error occurred while validating your request.";
/// What the person reads when the token endpoint refuses without saying why.
const NO_TOKEN: &str = "There was an error when retrieving a token from the upstream service.";
/// Key under which the token answer is bound.
const DATA: &str = "data";
/// Keys under which what came along with the token is bound.
const SCOPES: &str = "oauth2";
const CLAIMS: &str = "id_token_claims";
const USERINFO: &str = "userinfo";
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
    /// Nobody is sent to the authorization endpoint.
    #[error("the authorization endpoint is not to be used: {0}")]
    Authorization(OutboundError),
    /// Nothing is known of the authorization server.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The ID token is not believed.
    #[error("the ID token is not believed: {0}")]
    IdToken(#[from] IdTokenError),
    /// The userinfo endpoint says nothing to be believed.
    #[error(transparent)]
    Userinfo(#[from] UserinfoError),
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
            Self::Authorization(_) | Self::Token(_) | Self::Discovery(_) | Self::IdToken(_) | Self::Userinfo(_) => None,
        }
    }
}

impl Server {
    /// The log-in step: binds a fresh `state`, a fresh code verifier unless the provider wants none, and a fresh nonce where an ID token is
    /// asked for, and redirects, unless the provider has answered already.
    ///
    /// # Errors
    /// When the authorization endpoint is not a URL, or plain http that the operator does not allow (RFC 6749 section 3.1), whoever has named
    /// it: what a person types there, and the state and challenge of the request, would be read on the way.
    pub async fn log_in(&self, request: &Request, state: &mut State) -> Result<LogIn, OAuth2Error> {
        let refused = OAuth2Error::Authorization;
        let answer = authorization::log_in(self.oauth2(), request, state).map_err(|_| refused(OutboundError::Url))?;
        if matches!(answer, LogIn::Redirect(_)) {
            self.outbound().check_login_url(&self.oauth2().authorize_url).await.map_err(refused)?;
        }
        Ok(answer)
    }

    /// The callback step: on success the token answer is bound into the state as `data`, requested and granted scopes as `oauth2`, and where
    /// they are asked for and the issuer is known, the claims of the verified ID token as `id_token_claims` and the userinfo as `userinfo`.
    /// Beside the scopes stands `step`, the name of the step whose tokens they are.
    ///
    /// # Errors
    /// When the answer is refused, no token comes, or what comes along is not believed; the state's `state`, code verifier and nonce are
    /// used up either way. Tokens that did come are bound as `data` also then: they live, and somebody has to revoke them.
    pub async fn callback(
        &self,
        step: &str,
        request: &Request,
        state: &mut State,
        now: OffsetDateTime,
    ) -> Result<Scopes, OAuth2Error> {
        // What is bound under these names is verified, whatever stood there before.
        for key in [CLAIMS, USERINFO] {
            state.remove(key);
        }
        let code = authorization::take_code(request, state, self.expected_issuer())?;
        let answer = token::exchange(self.oauth2(), &code, &request.setup_url, self.outbound(), now).await?;
        let scopes = Scopes::compared(self.oauth2(), &answer);
        let mut bound = serde_json::to_value(&scopes).expect("scopes are plain JSON");
        bound["step"] = step.into();
        state.insert(SCOPES.to_owned(), bound);
        state.insert(DATA.to_owned(), answer.clone().into());
        let claims = self.verified_claims(&answer, &code, now).await?;
        if self.oauth2().userinfo {
            let userinfo = self.userinfo(&answer, claims.as_ref()).await?;
            state.insert(USERINFO.to_owned(), userinfo.into());
        }
        if let Some(claims) = claims {
            state.insert(CLAIMS.to_owned(), claims.into());
        }
        Ok(scopes)
    }

    fn expected_issuer(&self) -> Option<ExpectedIssuer<'_>> {
        self.issuer.as_ref().map(|known| ExpectedIssuer {
            id: &known.id,
            is_announced: known.metadata.authorization_response_iss_parameter_supported,
        })
    }

    /// The claims of the ID token in a token answer, where one was asked for of a known issuer.
    async fn verified_claims(
        &self,
        answer: &State,
        code: &Code,
        now: OffsetDateTime,
    ) -> Result<Option<State>, OAuth2Error> {
        let Some(known) = self.issuer.as_ref().filter(|_| asks_for_id_token(self.oauth2())) else { return Ok(None) };
        let token = answer.get("id_token").and_then(|token| token.as_str()).ok_or(IdTokenError::Missing)?;
        let signed = Signed::read(token).map_err(IdTokenError::from)?;
        let algorithm = signed.algorithm();
        let announced = known.metadata.id_token_signing_alg_values_supported.as_ref();
        if announced.is_some_and(|announced| !announced.iter().any(|name| name == algorithm.name())) {
            return Err(IdTokenError::Algorithm(algorithm.name()).into());
        }
        let url = known.metadata.jwks_uri.as_deref().ok_or(IdTokenError::NoKeys)?;
        let keys = known.issuer.keys(url, &signed, self.outbound(), now).await?;
        let claims = signed.verified(&keys).map_err(IdTokenError::from)?;
        let expected = id_token::Expected {
            issuer: &known.id,
            client_id: &self.oauth2().client_id,
            nonce: code.nonce.as_deref(),
            access_token: access_token(answer),
            now,
        };
        id_token::judge(&claims, algorithm, &expected)?;
        Ok(Some(claims))
    }

    async fn userinfo(&self, answer: &State, claims: Option<&State>) -> Result<State, UserinfoError> {
        let endpoint = self.issuer.as_ref().and_then(|known| known.metadata.userinfo_endpoint.as_deref());
        let subject = claims.and_then(|claims| claims.get("sub"));
        userinfo::fetch(endpoint, access_token(answer), subject, self.outbound()).await
    }
}

fn access_token(answer: &State) -> Option<&str> {
    answer.get("access_token").and_then(|token| token.as_str())
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
