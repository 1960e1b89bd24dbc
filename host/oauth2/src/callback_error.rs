//! Why the answer to an authorization request is refused (RFC 6749 section 4.1.2).

use thiserror::Error;

/// Why an answer of the authorization endpoint is refused. Of its values it holds only `error` and
/// another issuer's name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CallbackError {
    /// The answer has no `state`.
    #[error("the answer has no state")]
    MissingState,
    /// The setup expects no `state`: none was sent, or it was used.
    #[error("no state is expected, or it was used")]
    UnexpectedState,
    /// The answer came to the redirect URI of another authorization server (RFC 9700 section
    /// 4.4.2.2).
    #[error("the answer came to the redirect URI of another server")]
    OtherRedirectUri,
    /// The states differ.
    #[error("the answer has another state")]
    StateMismatch,
    /// The answer does not name its issuer, though the issuer announces that its answers do (RFC
    /// 9207 section 2.4).
    #[error("the answer has no iss, and the issuer announces that its answers have one")]
    MissingIssuer,
    /// The answer names another issuer (RFC 9207 section 2.4).
    #[error("the answer is of another issuer, `{}`", .0.escape_debug())]
    IssuerMismatch(String),
    /// A parameter came twice (RFC 6749 section 3.1).
    #[error("a parameter is repeated")]
    RepeatedParameter,
    /// `code` and `error` together.
    #[error("the answer has both a code and an error")]
    CodeAndError,
    /// Neither `code` nor `error`.
    #[error("the answer has neither a code nor an error")]
    NoCode,
    /// The browser came back with nothing at all, perhaps with an answer in the fragment of the
    /// URL.
    #[error("the browser came back without an answer")]
    NoAnswer,
    /// The answer is an error: the provider or the person refused (RFC 6749 section 4.1.2.1).
    #[error("the provider answered the error `{}`", .0.escape_debug())]
    Refused(String),
}
