//! What a provider's answer means for a refresh. Pure.

use std::time::Duration;

use jackfield_loader::{Grant, PluginError};
use jackfield_oauth2::{TokenError, truncated};

/// What a provider's answer means. Words hold no token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RefreshOutcome {
    /// New tokens.
    Granted(Box<Grant>),
    /// The provider gives no further token.
    Over(String),
    /// The provider did not do it; with the pause that it asks for.
    Outage(String, Option<Duration>),
    /// The provider failed at it and most likely did not do it; with the pause that it asks for.
    Doubtful(String, Option<Duration>),
    /// Whether the provider did it is not known.
    Lost(String),
    /// There is nothing to refresh it with.
    NotRefreshable,
}

/// Codes of RFC 6749 section 5.2 and of Slack
/// (<https://docs.slack.dev/reference/methods/oauth.v2.access>) after which the same refresh token
/// cannot work again.
const OVER: [&str; 6] =
    ["invalid_grant", "invalid_refresh_token", "token_expired", "token_revoked", "account_inactive", "access_denied"];

/// Codes of RFC 6749 section 4.1.2.1 and of Slack for a failure at some point of the work.
const BROKEN: [&str; 3] = ["server_error", "internal_error", "fatal_error"];

/// Whether the server, or one in front of it, has failed at its work or not waited for its end (RFC
/// 9110 section 15.6). A server that is not available (503), or is asked too often (429), has not
/// begun.
const fn is_broken(status: u16) -> bool {
    matches!(status, 500 | 502 | 504 | 520 | 524)
}

impl RefreshOutcome {
    /// Of a failed request to the token endpoint.
    pub(super) fn of_error(error: &TokenError) -> Self {
        let reason = truncated(&error.to_string());
        match error {
            TokenError::Refused(refusal) if OVER.contains(&&*refusal.code) => Self::Over(reason),
            TokenError::Refused(refusal) if BROKEN.contains(&&*refusal.code) || is_broken(refusal.status) => {
                Self::Doubtful(reason, refusal.retry_after)
            }
            // The answer is an error, whatever its code: it does not use up the refresh token.
            TokenError::Refused(refusal) => Self::Outage(reason, refusal.retry_after),
            TokenError::Outbound(error) if !error.is_unsent() => Self::Lost(reason),
            // The server has done it, and its answer cannot be read.
            TokenError::Answer { status: 200..=299, .. } => Self::Lost(reason),
            TokenError::Answer { status, retry_after, .. } if is_broken(*status) => {
                Self::Doubtful(reason, *retry_after)
            }
            TokenError::Answer { retry_after, .. } => Self::Outage(reason, *retry_after),
            _ => Self::Outage(reason, None),
        }
    }

    /// Of a plugin that refreshes in its own way: it can do so again.
    pub(super) fn of_plugin(error: &PluginError) -> Self {
        Self::Outage(truncated(&error.to_string()), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jackfield_oauth2::Refusal;
    use jackfield_outbound::OutboundError;

    fn refused(code: &str) -> TokenError {
        let refusal = Refusal { code: code.to_owned(), description: None, status: 400, retry_after: None };
        TokenError::Refused(Box::new(refusal))
    }

    fn answered(status: u16) -> TokenError {
        TokenError::Answer { status, found: "not JSON", retry_after: Some(Duration::from_secs(7)) }
    }

    #[test]
    fn only_what_can_never_work_again_is_over_and_what_may_have_been_done_is_lost_or_doubtful() {
        let kind = |error: TokenError| match RefreshOutcome::of_error(&error) {
            RefreshOutcome::Over(_) => "over",
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
            (refused("invalid_client"), "outage"),
            (refused("temporarily_unavailable"), "outage"),
            (refused(""), "outage"),
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
