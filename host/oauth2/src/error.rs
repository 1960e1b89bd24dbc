//! Why an OAuth 2.0 step ends a setup: for the log, for the person, and as one word for both.

use jackfield_outbound::OutboundError;
use thiserror::Error;

use super::{
    callback_error::CallbackError, id_token::IdTokenError, metadata::DiscoveryError, provider_text::truncated,
    token_error::TokenError, userinfo::UserinfoError,
};

/// Shown when an answer does not belong to a request of ours.
const INVALID: &str = "An error occurred while validating your request.";
/// Shown when the token endpoint refuses without saying why.
const NO_TOKEN: &str = "There was an error when retrieving a token from the upstream service.";

/// Why an OAuth 2.0 step ends the setup.
#[derive(Debug, Error)]
pub enum OAuth2Error {
    /// The answer of the authorization endpoint is invalid, or is an error.
    #[error(transparent)]
    Callback(#[from] CallbackError),
    /// The token endpoint gave no token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The authorization endpoint may not be used.
    #[error("the authorization endpoint cannot be used: {0}")]
    Authorization(OutboundError),
    /// The authorization server's metadata are not known.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The ID token is invalid.
    #[error("the ID token is invalid: {0}")]
    IdToken(#[from] IdTokenError),
    /// The userinfo endpoint gave no valid answer.
    #[error(transparent)]
    Userinfo(#[from] UserinfoError),
}

impl OAuth2Error {
    /// What the person may read; `None` if the cause is only for the log.
    #[must_use]
    pub fn public_message(&self) -> Option<String> {
        match self {
            Self::Callback(CallbackError::Refused(error)) => Some(truncated(error)),
            Self::Callback(_) => Some(INVALID.to_owned()),
            Self::Token(TokenError::Refused(refusal)) => {
                Some(refusal.description.as_deref().map_or_else(|| NO_TOKEN.to_owned(), truncated))
            }
            Self::Authorization(_) | Self::Token(_) | Self::Discovery(_) | Self::IdToken(_) | Self::Userinfo(_) => None,
        }
    }

    /// The check that failed, as one word that the log has and the person can quote. It holds
    /// nothing of the answer.
    #[must_use]
    pub const fn check(&self) -> &'static str {
        match self {
            Self::Callback(error) => error.check(),
            Self::Authorization(_) => "authorization-endpoint",
            Self::Token(_) => "token-endpoint",
            Self::Discovery(_) => "issuer",
            Self::IdToken(_) => "id-token",
            Self::Userinfo(_) => "userinfo",
        }
    }
}

impl CallbackError {
    const fn check(&self) -> &'static str {
        match self {
            Self::MissingState => "state-missing",
            Self::UnexpectedState => "state-used",
            Self::StateMismatch | Self::OtherRedirectUri => "state-other",
            Self::MissingIssuer => "iss-missing",
            Self::IssuerMismatch(_) => "iss-other",
            Self::RepeatedParameter => "parameter-repeated",
            Self::CodeAndError => "code-and-error",
            Self::NoCode => "no-code",
            Self::NoAnswer => "no-answer",
            Self::Refused(_) => "declined",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_of_an_answer_has_a_check_of_its_own() {
        let errors = [
            CallbackError::MissingState,
            CallbackError::UnexpectedState,
            CallbackError::StateMismatch,
            CallbackError::MissingIssuer,
            CallbackError::IssuerMismatch("https://evil.example".to_owned()),
            CallbackError::RepeatedParameter,
            CallbackError::CodeAndError,
            CallbackError::NoCode,
            CallbackError::NoAnswer,
            CallbackError::Refused("access_denied".to_owned()),
        ];
        let checks = errors.map(|error| OAuth2Error::from(error).check()).join(" ");
        insta::assert_snapshot!(checks, @"state-missing state-used state-other iss-missing iss-other parameter-repeated code-and-error no-code no-answer declined");
    }
}
