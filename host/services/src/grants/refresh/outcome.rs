//! What a provider's answer means for a refresh. Pure.

use std::time::Duration;

use jackfield_loader::{Grant, PluginError};
use jackfield_oauth2::{AnswerWords, Refusal, TokenError, truncated};
use serde_json::Value;

/// What a provider's answer means. Words hold no token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RefreshOutcome {
    /// New tokens.
    Granted(Box<Grant>),
    /// The provider gives no further token.
    Over(String),
    /// The provider did not do it; with the pause that it asks for.
    Outage(String, Option<Duration>),
    /// The provider has refused it in words that nobody knows; with the pause that it asks for,
    /// and what tells this refusal from others.
    Refused(String, Option<Duration>, String),
    /// The provider failed at it and most likely did not do it; with the pause that it asks for.
    Doubtful(String, Option<Duration>),
    /// Whether the provider did it is not known.
    Lost(String),
    /// There is nothing to refresh it with.
    NotRefreshable,
}

/// Codes of RFC 6749 section 4.1.2.1 and of Slack for a failure at some point of the work.
const BROKEN: [&str; 3] = ["server_error", "internal_error", "fatal_error"];

/// Whether the server, or one in front of it, has failed at its work or not waited for its end (RFC
/// 9110 section 15.6). A server that is not available (503), or is asked too often (429), has not
/// begun.
const fn is_broken(status: u16) -> bool {
    matches!(status, 500 | 502 | 504 | 520 | 524)
}

impl RefreshOutcome {
    /// Of a failed request to the token endpoint. `own` are the words by which the provider
    /// refuses a refresh token for good, besides those that are known.
    pub(super) fn of_error(error: &TokenError, own: &[String]) -> Self {
        let reason = truncated(&error.to_string());
        match error {
            TokenError::Refused(refusal) if refusal.ends_refresh_token(own) => Self::Over(reason),
            TokenError::Refused(refusal) if BROKEN.contains(&&*refusal.code) || is_broken(refusal.status) => {
                Self::Doubtful(reason, refusal.retry_after)
            }
            // The answer is an error, whatever its code: it does not use up the refresh token.
            TokenError::Refused(refusal) => Self::of_refusal(reason, refusal.retry_after, refusal.signature()),
            TokenError::Outbound(error) if !error.is_unsent() => Self::Lost(reason),
            // The server has done it, and its answer cannot be read.
            TokenError::Answer { status: 200..=299, .. } => Self::Lost(reason),
            TokenError::Answer { status, retry_after, .. } if is_broken(*status) => {
                Self::Doubtful(reason, *retry_after)
            }
            TokenError::Answer { retry_after, .. } => Self::of_refusal(reason, *retry_after, error.signature()),
            _ => Self::Outage(reason, None),
        }
    }

    /// Of an answer that has no access token. It refuses if it says so. Else nobody knows what the
    /// server has done, as with Slack's `ok` that is false without an error.
    pub(super) fn of_tokenless(answer: &Value, own: &[String]) -> Self {
        let refusal = Refusal::new(AnswerWords::of(answer));
        if refusal.ends_refresh_token(own) || (says_failure(answer) && !refusal.words.is_empty()) {
            return Self::of_error(&TokenError::Refused(Box::new(refusal)), own);
        }
        Self::Lost("the answer of the token endpoint has no access token".to_owned())
    }

    fn of_refusal(reason: String, asked: Option<Duration>, signature: Option<String>) -> Self {
        match signature {
            Some(signature) => Self::Refused(reason, asked, signature),
            None => Self::Outage(reason, asked),
        }
    }

    /// Of a plugin that refreshes in its own way: it can do so again.
    pub(super) fn of_plugin(error: &PluginError) -> Self {
        Self::Outage(truncated(&error.to_string()), None)
    }
}

/// Whether an answer with a status of success says that it is none.
fn says_failure(answer: &Value) -> bool {
    let is_false = |key: &str| answer.get(key) == Some(&Value::Bool(false));
    let has_errors = answer.get("errors").and_then(Value::as_array).is_some_and(|errors| !errors.is_empty());
    let status = answer.get("status").and_then(Value::as_str).unwrap_or_default();
    is_false("success") || is_false("ok") || has_errors || matches!(status, "error" | "failure" | "fail")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jackfield_outbound::OutboundError;
    use serde_json::json;

    fn refused(code: &str) -> TokenError {
        let refusal = Refusal { status: 400, ..Refusal::new(AnswerWords::of(&json!({"error": code}))) };
        TokenError::Refused(Box::new(refusal))
    }

    fn answered(status: u16) -> TokenError {
        TokenError::Answer { status, found: "not JSON", is_page: false, retry_after: Some(Duration::from_secs(7)) }
    }

    #[test]
    fn an_answer_without_a_token_refuses_only_if_it_says_so() {
        let dead = json!({"success": false, "errors": [{"errorType": "invalid_grant"}]});
        assert!(matches!(RefreshOutcome::of_tokenless(&dead, &[]), RefreshOutcome::Over(_)));
        let odd = json!({"success": false, "message": "not today"});
        assert!(matches!(RefreshOutcome::of_tokenless(&odd, &[]), RefreshOutcome::Refused(..)));
        for unclear in [json!({"ok": false}), json!({"id": "7", "type": "token"}), json!({"token": "t"})] {
            let outcome = RefreshOutcome::of_tokenless(&unclear, &[]);
            assert!(matches!(outcome, RefreshOutcome::Lost(_)), "{unclear}: {outcome:?}");
        }
    }

    #[test]
    fn only_what_can_never_work_again_is_over_and_what_may_have_been_done_is_lost_or_doubtful() {
        let own = ["gone fishing".to_owned()];
        let kind = |error: TokenError| match RefreshOutcome::of_error(&error, &own) {
            RefreshOutcome::Over(_) => "over",
            RefreshOutcome::Refused(..) => "refused",
            RefreshOutcome::Outage(_, None) => "outage",
            RefreshOutcome::Outage(_, Some(_)) => "outage that says how long",
            RefreshOutcome::Doubtful(..) => "doubtful",
            RefreshOutcome::Lost(_) => "lost",
            _ => "other",
        };
        let timeout = || OutboundError::TimedOut(Duration::from_secs(10));
        let cases = [
            (refused("invalid_grant"), "over"),
            (refused("invalid_refresh_token"), "over"),
            (refused("token_revoked"), "over"),
            (refused("bad_refresh_token"), "over"),
            (refused("Gone_Fishing"), "over"),
            (refused("invalid_client"), "outage"),
            (refused("temporarily_unavailable"), "outage"),
            (refused("unauthorized_client"), "refused"),
            (refused("odd"), "refused"),
            (refused(""), "refused"),
            (answered(400), "refused"),
            (TokenError::Answer { status: 400, found: "not JSON", is_page: true, retry_after: None }, "outage"),
            (answered(503), "outage that says how long"),
            (answered(429), "outage that says how long"),
            (refused("server_error"), "doubtful"),
            (refused("internal_error"), "doubtful"),
            (refused("fatal_error"), "doubtful"),
            (answered(500), "doubtful"),
            (answered(502), "doubtful"),
            (answered(504), "doubtful"),
            (answered(404), "outage that says how long"),
            (answered(200), "lost"),
            (TokenError::Url, "outage"),
            (OutboundError::Unreachable("refused".to_owned()).into(), "outage"),
            (OutboundError::PrivateAddress("a".to_owned()).into(), "outage"),
            (timeout().into(), "lost"),
            (OutboundError::Connection("closed".to_owned()).into(), "lost"),
            (OutboundError::TooLarge(1).into(), "lost"),
        ];
        for (error, expected) in cases {
            let words = error.to_string();
            assert_eq!(kind(error), expected, "{words}");
        }
    }
}
