//! What failed at an authorization server, in one word each: for the log, and for whoever finds the person's words to it.

use super::{CallbackError, OAuth2Error};

impl OAuth2Error {
    /// The check that failed, in a word that the person can quote and the log has. It holds nothing of the answer.
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
            Self::NoState => "state-missing",
            Self::UnexpectedState => "state-used",
            Self::OtherState => "state-other",
            Self::NoIssuer => "iss-missing",
            Self::OtherIssuer(_) => "iss-other",
            Self::Repeated => "parameter-repeated",
            Self::CodeAndError => "code-and-error",
            Self::Nothing => "no-code",
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
            CallbackError::NoState,
            CallbackError::UnexpectedState,
            CallbackError::OtherState,
            CallbackError::NoIssuer,
            CallbackError::OtherIssuer("https://evil.example".to_owned()),
            CallbackError::Repeated,
            CallbackError::CodeAndError,
            CallbackError::Nothing,
            CallbackError::Refused("access_denied".to_owned()),
        ];
        let checks = errors.map(|error| OAuth2Error::from(error).check()).join(" ");
        insta::assert_snapshot!(checks, @"state-missing state-used state-other iss-missing iss-other parameter-repeated code-and-error no-code declined");
    }
}
