//! Why the token endpoint gave no token.

use std::time::Duration;

use jackfield_outbound::OutboundError;
use thiserror::Error;

use crate::{answer_words::AnswerWords, jose::InvalidKey};

/// Why the token endpoint gave no token. Holds neither code nor token nor secret.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The request or its answer failed. Whether the endpoint has acted on it is not known.
    #[error("the request to the token endpoint failed: {0}")]
    Outbound(#[from] OutboundError),
    /// The token endpoint is not a URL.
    #[error("the token endpoint is not a URL")]
    Url,
    /// The provider wants something that only a later version knows.
    #[error("the provider wants {0} that this host does not know; a newer host may")]
    Unsupported(&'static str),
    /// The client's private key cannot sign.
    #[error("the client cannot authenticate: private-key is {0}")]
    Key(#[from] InvalidKey),
    /// The endpoint answered an error (RFC 6749 section 5.2).
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The endpoint answered neither a token nor an error.
    #[error("the token endpoint answered status {status} with a body that is {found}")]
    Answer {
        /// Status code.
        status: u16,
        /// What the body is.
        found: &'static str,
        /// Whether the body is a page for people: then something in front of the endpoint may have
        /// answered.
        is_page: bool,
        /// The pause that the endpoint asks for.
        retry_after: Option<Duration>,
    },
}

/// An error response of the token endpoint (RFC 6749 section 5.2).
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the token endpoint answered {}", in_words(.code, .description.as_deref().or(.words.message())))]
pub struct Refusal {
    /// The member `error`, such as `invalid_grant`, or what stands for it; empty if there is none.
    pub code: String,
    /// The member `error_description`.
    pub description: Option<String>,
    /// Status code: 400 or 401 by the RFC, 200 at Slack.
    pub status: u16,
    /// The pause that the endpoint asks for.
    pub retry_after: Option<Duration>,
    /// All codes and messages of the answer.
    pub words: AnswerWords,
}

impl Refusal {
    /// An answer with these words, with status 200.
    #[must_use]
    pub fn new(words: AnswerWords) -> Self {
        let code = words.code().unwrap_or_default().to_owned();
        Self { code, description: None, status: 200, retry_after: None, words }
    }
}

fn in_words(code: &str, description: Option<&str>) -> String {
    let code = code.escape_debug();
    match description.map(str::escape_debug) {
        Some(description) if code.clone().next().is_none() => format!("an error: {description}"),
        Some(description) => format!("the error `{code}`: {description}"),
        None => format!("the error `{code}`"),
    }
}
