//! What a refresh came to, from what was answered. Pure.

use std::time::Duration;

use jackfield_loader::{Grant, PluginError};
use jackfield_oauth2::TokenError;

/// What a refresh came to. Words hold no token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// New tokens.
    Granted(Box<Grant>),
    /// The provider gives no further token.
    Over(String),
    /// The provider did not do it; how long it wants to be left alone.
    Outage(String, Option<Duration>),
    /// The provider failed at it, and most likely did not do it; how long it wants to be left alone.
    Doubtful(String, Option<Duration>),
    /// Whether the provider did it is not known.
    Lost(String),
    /// There is nothing to refresh it with.
    NotRefreshable,
}

/// Longest words of a provider that are kept, in characters.
const LONGEST_REASON: usize = 200;

/// Codes of RFC 6749 section 5.2 and of Slack (<https://docs.slack.dev/reference/methods/oauth.v2.access>) after which asking again with the
/// same refresh token cannot help.
const OVER: [&str; 6] =
    ["invalid_grant", "invalid_refresh_token", "token_expired", "token_revoked", "account_inactive", "access_denied"];

/// Codes of RFC 6749 section 4.1.2.1 and of Slack that say that something broke, at whatever point of the work.
const BROKEN: [&str; 3] = ["server_error", "internal_error", "fatal_error"];

/// What a server, or one in front of it, answers that broke at its work (RFC 9110 section 15.6), or did not wait for its end. One that is not
/// available (503), or is asked too often (429), has not begun.
const fn is_broken(status: u16) -> bool {
    matches!(status, 500 | 502 | 504 | 520 | 524)
}

impl Outcome {
    /// Of a request to the token endpoint.
    pub(super) fn of_error(error: &TokenError) -> Self {
        let reason = cut(&error.to_string());
        match error {
            TokenError::Refused(refusal) if OVER.contains(&&*refusal.code) => Self::Over(reason),
            TokenError::Refused(refusal) if BROKEN.contains(&&*refusal.code) || is_broken(refusal.status) => {
                Self::Doubtful(reason, refusal.retry_after)
            }
            // Its words are those of an error, whatever it is: a grant is not spent by one.
            TokenError::Refused(refusal) => Self::Outage(reason, refusal.retry_after),
            TokenError::Outbound(error) if !error.is_unsent() => Self::Lost(reason),
            // It says that it has done it, and what it has done cannot be read.
            TokenError::Answer { status: 200..=299, .. } => Self::Lost(reason),
            TokenError::Answer { status, retry_after, .. } if is_broken(*status) => {
                Self::Doubtful(reason, *retry_after)
            }
            TokenError::Answer { retry_after, .. } => Self::Outage(reason, *retry_after),
            _ => Self::Outage(reason, None),
        }
    }

    /// Of a plugin that has a way of its own: what it does there it can do again.
    pub(super) fn of_plugin(error: &PluginError) -> Self {
        Self::Outage(cut(&error.to_string()), None)
    }
}

/// How long a provider is left alone after so many failures: doubling from five seconds, half an hour at most, and what it asks for, a
/// day at most.
pub(super) fn pause(failures: i32, asked: Option<Duration>) -> Duration {
    let doubled = 5 << failures.clamp(0, 9);
    Duration::from_secs(doubled).min(HALF_HOUR).max(asked.unwrap_or_default().min(DAY))
}

const HALF_HOUR: Duration = Duration::from_secs(30 * 60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a plugin asks for.
pub(super) const fn seconds(asked: u64) -> Duration {
    Duration::from_secs(asked)
}

pub(super) fn cut(text: &str) -> String {
    text.chars().take(LONGEST_REASON).collect()
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
        let kind = |error: TokenError| match Outcome::of_error(&error) {
            Outcome::Over(_) => "over",
            Outcome::Outage(_, None) => "outage",
            Outcome::Outage(_, Some(_)) => "outage that says how long",
            Outcome::Doubtful(..) => "doubtful",
            Outcome::Lost(_) => "lost",
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

    #[test]
    fn a_provider_is_left_alone_longer_and_longer_and_as_long_as_it_asks() {
        let seconds = |failures, asked: Option<u64>| pause(failures, asked.map(Duration::from_secs)).as_secs();
        assert_eq!([0, 1, 2, 9, 1000].map(|failures| seconds(failures, None)), [5, 10, 20, 1800, 1800]);
        assert_eq!((seconds(0, Some(60)), seconds(9, Some(60)), seconds(0, Some(u64::MAX))), (60, 1800, 86400));
    }
}
