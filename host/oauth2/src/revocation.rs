//! The revocation endpoint: a token is given up (RFC 7009 section 2.1), the answer judged (section 2.2).

use std::time::Duration;

use http::Response;
use serde_json::Value;
use thiserror::Error;
use time::OffsetDateTime;

use super::{
    Parameters, Server,
    client::post_form,
    cut,
    token::{TokenError, retry_after},
};
use jackfield_outbound::OutboundError;

/// What kind of token is given up (RFC 7009 section 2.1, `token_type_hint`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// What gets access tokens.
    Refresh,
    /// What requests carry.
    Access,
}

/// How an endpoint has taken a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The token does not work any more, or never did (RFC 7009 section 2.2).
    Revoked,
    /// The endpoint revokes no tokens of this kind (section 2.2.1): no failure.
    Unsupported,
}

/// Why a token is not revoked. Holds no token.
#[derive(Debug, Error)]
pub enum RevocationError {
    /// The endpoint could not be asked, or its answer not taken.
    #[error("the revocation endpoint could not be asked: {0}")]
    Outbound(OutboundError),
    /// The request could not be made.
    #[error("no request to the revocation endpoint could be made: {0}")]
    Request(TokenError),
    /// It said no, or not now (RFC 7009 section 2.2.1).
    #[error("the revocation endpoint answered status {status}{words}")]
    Answer {
        /// Status code.
        status: u16,
        /// Its error in words, with a separator; may be empty.
        words: String,
        /// How long it wants to be left alone.
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

/// Gives a token up at a revocation endpoint.
///
/// # Errors
/// When it may still work.
pub async fn revoke(
    server: &Server,
    url: &str,
    token: &str,
    kind: TokenKind,
    now: OffsetDateTime,
) -> Result<Taken, RevocationError> {
    let parameters = Parameters::default().secret("token", token).with("token_type_hint", kind.hint());
    let hidden = parameters.clone().secret("client_secret", server.oauth2().client_secret.expose());
    let response = post_form(server.oauth2(), url, parameters, server.outbound(), now).await?;
    judge(&response, now).map_err(|error| without_secrets(error, &hidden))
}

/// Errors with which services say that the token is dead already; the RFC wants 200 for those.
const DEAD: [&str; 4] = ["invalid_token", "token_revoked", "token_expired", "expired_access_token"];

fn judge(response: &Response<Vec<u8>>, now: OffsetDateTime) -> Result<Taken, RevocationError> {
    let status = response.status();
    if status.is_success() {
        return Ok(Taken::Revoked);
    }
    let answer: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("error") {
        "unsupported_token_type" => Ok(Taken::Unsupported),
        dead if DEAD.contains(&dead) => Ok(Taken::Revoked),
        error => Err(RevocationError::Answer {
            status: status.as_u16(),
            words: in_words(error, text("error_description")),
            retry_after: retry_after(response.headers(), now),
        }),
    }
}

fn in_words(error: &str, description: &str) -> String {
    let said = [error, description].iter().filter(|text| !text.is_empty()).map(|text| cut(text)).collect::<Vec<_>>();
    if said.is_empty() { String::new() } else { format!(": {}", said.join(": ").escape_debug()) }
}

/// A service may quote the request in its error.
fn without_secrets(error: RevocationError, parameters: &Parameters) -> RevocationError {
    match error {
        RevocationError::Answer { status, words, retry_after } => {
            RevocationError::Answer { status, words: parameters.hidden_in(&words), retry_after }
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
        match judge(&response, OffsetDateTime::UNIX_EPOCH) {
            Ok(Taken::Revoked) => "revoked".to_owned(),
            Ok(Taken::Unsupported) => "unsupported".to_owned(),
            Err(RevocationError::Answer { status, words, retry_after: None }) => format!("{status}{words}"),
            Err(RevocationError::Answer { status, retry_after: Some(after), .. }) => {
                format!("{status}, again after {} s", after.as_secs())
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_answer_is_judged_as_rfc_7009_section_2_2_says() {
        type Case = (u16, &'static [(&'static str, &'static str)], &'static str, &'static str);
        let cases: [Case; 11] = [
            // Section 2.2: 200 also for a token that the server does not know; the body says nothing.
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
            (302, &[], "", "302"),
        ];
        for (status, headers, body, expected) in cases {
            assert_eq!(judged(status, headers, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn what_a_service_quotes_of_the_request_is_hidden() {
        let parameters = Parameters::default().secret("token", "t0ken");
        let error = RevocationError::Answer { status: 400, words: ": what is t0ken".to_owned(), retry_after: None };
        let words = without_secrets(error, &parameters).to_string();
        assert_eq!(words, "the revocation endpoint answered status 400: what is [secret]");
    }
}
