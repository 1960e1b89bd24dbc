//! The revocation endpoint: sends a token (RFC 7009 section 2.1) and reads the answer (section
//! 2.2).

use std::time::Duration;

use http::Response;
use jackfield_outbound::OutboundError;
use serde_json::Value;
use thiserror::Error;
use time::OffsetDateTime;

use super::{
    answer_words::AnswerWords,
    client::{Parameters, post_form},
    provider_text::truncated,
    retry_after::retry_after,
    server::AuthorizationServer,
    token_body,
    token_error::TokenError,
};

/// The kind of a token (RFC 7009 section 2.1, `token_type_hint`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// It gets new access tokens.
    Refresh,
    /// It authorizes API requests.
    Access,
}

/// A successful answer of the revocation endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationResponse {
    /// The token does not work any more, or never did (RFC 7009 section 2.2).
    Revoked,
    /// The endpoint does not revoke tokens of this kind (section 2.2.1). This is not a failure.
    Unsupported,
}

/// Why a token may still work. Holds no token.
#[derive(Debug, Error)]
pub enum RevocationError {
    /// The request or its answer failed.
    #[error("the request to the revocation endpoint failed: {0}")]
    Outbound(OutboundError),
    /// The request could not be made.
    #[error("no request to the revocation endpoint could be made: {0}")]
    Request(TokenError),
    /// The endpoint refuses, or asks to wait (RFC 7009 section 2.2.1).
    #[error("the revocation endpoint answered status {status}{words}")]
    Answer {
        /// Status code.
        status: u16,
        /// `: ` and its error in words, or nothing.
        words: String,
        /// The pause that the endpoint asks for.
        retry_after: Option<Duration>,
    },
}

impl From<TokenError> for RevocationError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Outbound(error) => Self::Outbound(error),
            other => Self::Request(other),
        }
    }
}

impl TokenKind {
    const fn hint(self) -> &'static str {
        match self {
            Self::Refresh => "refresh_token",
            Self::Access => "access_token",
        }
    }
}

/// Revokes a token.
///
/// # Errors
/// When it may still work.
pub async fn revoke(
    server: &AuthorizationServer,
    url: &str,
    token: &str,
    kind: TokenKind,
    now: OffsetDateTime,
) -> Result<RevocationResponse, RevocationError> {
    let parameters = Parameters::default().secret("token", token).with("token_type_hint", kind.hint());
    let hidden = parameters.clone().secret("client_secret", server.oauth2().client_secret.expose());
    let response = post_form(server.oauth2(), url, parameters, server.outbound(), now).await?;
    revocation_response(&response, now).map_err(|error| without_secrets(error, &hidden))
}

/// Codes that say that the token does not work any more. The RFC demands status 200 instead.
const REVOKED_ALREADY: [&str; 17] = [
    "invalid_token",
    "token_invalid",
    "token_revoked",
    "revoked_token",
    "token_expired",
    "expired_token",
    "expired_access_token",
    "invalid_access_token",
    "invalid_refresh_token",
    "bad_refresh_token",
    "token_not_found",
    "unknown_token",
    "already_revoked",
    "token_already_revoked",
    "token_does_not_exist",
    "account_inactive",
    "invalid_grant",
];

/// What a message says of a token that is gone.
const IS_GONE: [&str; 8] = [
    "not found",
    "already revoked",
    "already been revoked",
    "does not exist",
    "doesn't exist",
    "unknown token",
    "invalid token",
    "expired",
];
/// What it says when the request is wrong, and the token may still work.
const IS_OTHER: [&str; 6] = ["missing", "required", "client", "credential", "token type", "token_type"];

fn revocation_response(
    response: &Response<Vec<u8>>,
    now: OffsetDateTime,
) -> Result<RevocationResponse, RevocationError> {
    let status = response.status();
    if status.is_success() {
        return Ok(RevocationResponse::Revoked);
    }
    let words = AnswerWords::of_body(response.headers(), response.body());
    let answer: Value = token_body::parse(response).map(Value::Object).unwrap_or_default();
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
    if words.has_any(&["unsupported_token_type"]) {
        return Ok(RevocationResponse::Unsupported);
    }
    if is_verdict(status.as_u16()) && says_that_it_is_gone(&words) {
        return Ok(RevocationResponse::Revoked);
    }
    let (error, description) = match (text("error"), text("error_description")) {
        ("", "") => (words.code().unwrap_or_default(), words.message().unwrap_or_default()),
        found => found,
    };
    Err(RevocationError::Answer {
        status: status.as_u16(),
        words: in_words(error, description),
        retry_after: retry_after(response.headers(), now),
    })
}

/// Whether the server has looked at the token. One that is busy or broken has not.
const fn is_verdict(status: u16) -> bool {
    matches!(status, 400 | 401 | 403 | 404 | 409 | 410 | 422)
}

fn says_that_it_is_gone(words: &AnswerWords) -> bool {
    if words.has_any(&["invalid_client", "unauthorized_client", "temporarily_unavailable"]) {
        return false;
    }
    let is_gone = |message: &str| {
        let message = message.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
        message.contains("token") && has(&IS_GONE) && !has(&IS_OTHER)
    };
    words.has_any(&REVOKED_ALREADY) || words.messages().any(is_gone)
}

fn in_words(error: &str, description: &str) -> String {
    let words =
        [error, description].iter().filter(|text| !text.is_empty()).map(|text| truncated(text)).collect::<Vec<_>>();
    if words.is_empty() { String::new() } else { format!(": {}", words.join(": ").escape_debug()) }
}

/// A provider may quote the request in its error.
fn without_secrets(error: RevocationError, parameters: &Parameters) -> RevocationError {
    match error {
        RevocationError::Answer { status, words, retry_after } => {
            RevocationError::Answer { status, words: parameters.redacted(&words), retry_after }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, headers: &[(&str, &str)], body: &str) -> String {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(body.as_bytes().to_vec()).expect("a response");
        match revocation_response(&response, OffsetDateTime::UNIX_EPOCH) {
            Ok(RevocationResponse::Revoked) => "revoked".to_owned(),
            Ok(RevocationResponse::Unsupported) => "unsupported".to_owned(),
            Err(RevocationError::Answer { status, words, retry_after: None }) => format!("{status}{words}"),
            Err(RevocationError::Answer { status, retry_after: Some(after), .. }) => {
                format!("{status}, again after {} s", after.as_secs())
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_answer_is_read_as_rfc_7009_section_2_2_says() {
        type Case = (u16, &'static [(&'static str, &'static str)], &'static str, &'static str);
        let cases: [Case; 31] = [
            // Section 2.2: 200 also for a token that the server does not know; the body says
            // nothing.
            (200, &[], "", "revoked"),
            (200, &[], "{\"error\": \"x\"}", "revoked"),
            (204, &[], "", "revoked"),
            // Section 2.2.1.
            (400, &[], "{\"error\": \"unsupported_token_type\"}", "unsupported"),
            (503, &[("retry-after", "120")], "", "503, again after 120 s"),
            (503, &[], "<h1>down</h1>", "503"),
            (429, &[("retry-after", "7")], "{}", "429, again after 7 s"),
            (401, &[], "{\"error\": \"invalid_client\"}", "401: invalid_client"),
            (
                400,
                &[],
                "{\"error\": \"invalid_request\", \"error_description\": \"no\\n\"}",
                "400: invalid_request: no\\n",
            ),
            // Not by the RFC, but what services do.
            (400, &[], "{\"error\": \"invalid_token\"}", "revoked"),
            (401, &[], "{\"error\": \"invalid_token\"}", "revoked"),
            (404, &[], "{\"message\": \"token not found\"}", "revoked"),
            (400, &[], "{\"status\": 400, \"message\": \"Invalid token\"}", "revoked"),
            (400, &[], "{\"errors\": [{\"errorType\": \"invalid_token\"}]}", "revoked"),
            (400, &[], "{\"reason\": \"Invalid Token!\", \"error\": \"invalid_request\"}", "revoked"),
            (400, &[], "{\"error\": \"invalid_request\", \"error_description\": \"already revoked token\"}", "revoked"),
            (422, &[], "{\"code\": \"TOKEN_ALREADY_REVOKED\"}", "revoked"),
            (401, &[], "{\"ok\": false, \"error\": \"account_inactive\"}", "revoked"),
            (400, &[("content-type", "text/plain")], "Token does not exist", "revoked"),
            // Of these, nobody knows.
            (503, &[], "{\"error\": \"invalid_token\"}", "503: invalid_token"),
            (429, &[], "{\"error\": \"token_revoked\"}", "429: token_revoked"),
            (404, &[], "{\"message\": \"Not Found\"}", "404: Not Found"),
            (404, &[("content-type", "text/html")], "<h1>token not found</h1>", "404"),
            (
                401,
                &[],
                "{\"message\": \"client token is invalid: unknown token\"}",
                "401: client token is invalid: unknown token",
            ),
            (400, &[], "{\"message\": \"token is missing, not found\"}", "400: token is missing, not found"),
            (401, &[], "{\"error\": \"invalid_client\", \"message\": \"token not found\"}", "401: invalid_client"),
            (400, &[], "{\"status\": \"BAD\", \"message\": \"no\"}", "400: BAD: no"),
            (403, &[], "{\"error\": \"insufficient_scope\"}", "403: insufficient_scope"),
            (400, &[], "{\"error\": \"unsupported_token_type\", \"message\": \"token expired\"}", "unsupported"),
            (400, &[], "[]", "400"),
            (302, &[], "", "302"),
        ];
        for (status, headers, body, expected) in cases {
            assert_eq!(judged(status, headers, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn an_error_that_quotes_the_token_loses_it() {
        let parameters = Parameters::default().secret("token", "t0ken");
        let error = RevocationError::Answer { status: 400, words: ": what is t0ken".to_owned(), retry_after: None };
        let words = without_secrets(error, &parameters).to_string();
        assert_eq!(words, "the revocation endpoint answered status 400: what is [secret]");
    }
}
