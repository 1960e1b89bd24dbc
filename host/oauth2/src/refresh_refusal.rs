//! What a refused refresh says about the refresh token: that it is dead, or nothing. Pure.

use super::{
    answer_words::plain,
    token_error::{Refusal, TokenError},
};

/// Codes after which the same refresh token cannot work again, as `plain` writes them: of RFC 6749
/// section 5.2, of OpenID Connect Core 1.0 section 3.1.2.6, of Slack
/// (<https://docs.slack.dev/reference/methods/oauth.v2.access>), GitHub, HubSpot, Yahoo, Zoho and
/// Follow Up Boss. A request with a refresh token has no code and no other token in it.
const DEAD: [&str; 24] = [
    "invalid_grant",
    "bad_refresh_token",
    "invalid_refresh_token",
    "refresh_token_invalid",
    "expired_refresh_token",
    "refresh_token_expired",
    "revoked_refresh_token",
    "refresh_token_revoked",
    "unknown_refresh_token",
    "refresh_token_not_found",
    "refresh_token_reused",
    "invalid_token",
    "token_invalid",
    "token_expired",
    "expired_token",
    "token_revoked",
    "revoked_token",
    "token_not_found",
    "account_inactive",
    "access_denied",
    "interaction_required",
    "login_required",
    "consent_required",
    "invalid_code",
];

/// Codes that are about the client, the request or the server, whatever else the answer says.
const NOT_THE_TOKEN: [&str; 22] = [
    "invalid_client",
    "invalid_client_id",
    "invalid_client_secret",
    "bad_client_id",
    "bad_client_secret",
    "client_not_found",
    "incorrect_client_credentials",
    "unsupported_grant_type",
    "invalid_grant_type",
    "invalid_scope",
    "temporarily_unavailable",
    "service_unavailable",
    "server_error",
    "internal_error",
    "internal_server_error",
    "fatal_error",
    "slow_down",
    "ratelimited",
    "rate_limited",
    "rate_limit",
    "rate_limit_exceeded",
    "too_many_requests",
];

/// What a message calls a refresh token, and what it says of a dead one.
const NAMES: [&str; 6] =
    ["refresh token", "refresh_token", "refresh-token", "refreshtoken", "authorization grant", "access grant"];
const IS_DEAD: [&str; 12] = [
    "invalid",
    "not valid",
    "expired",
    "revoked",
    "unknown",
    "unrecognized",
    "not found",
    "does not exist",
    "doesn't exist",
    "already used",
    "already been used",
    "inactive",
];
/// What it says when the request is wrong, or the server busy.
const IS_OTHER: [&str; 9] = [
    "missing",
    "required",
    "grant type",
    "grant_type",
    "granttype",
    "rate limit",
    "temporary",
    "temporarily",
    "try again",
];

impl Refusal {
    /// Whether the server says that the refresh token cannot work again: by a word that is known,
    /// by one of the provider's own, or by a message that says so. An overloaded or broken server
    /// says nothing about it, whatever its words are.
    #[must_use]
    pub fn ends_refresh_token(&self, own: &[String]) -> bool {
        if is_no_verdict(self.status) || self.words.has_any(&NOT_THE_TOKEN) {
            return false;
        }
        let is_known = self.words.has_any(&DEAD) || own.iter().any(|word| self.words.fit(word));
        is_known || self.words.messages().any(says_that_it_is_dead)
    }

    /// What tells this refusal from another, if a row of equal ones counts. `None` for one that is
    /// about the client or the server.
    #[must_use]
    pub fn signature(&self) -> Option<String> {
        let is_about_the_grant = !is_no_verdict(self.status) && !self.words.has_any(&NOT_THE_TOKEN);
        let code = plain(if self.code.is_empty() { self.words.code().unwrap_or_default() } else { &self.code });
        is_about_the_grant.then(|| format!("{} {code}", self.status))
    }
}

impl TokenError {
    /// The same of an answer that says nothing. A page for people may be of something in front of
    /// the endpoint, and 401 is about the client (RFC 6749 section 5.2).
    #[must_use]
    pub fn signature(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => refusal.signature(),
            Self::Answer { status: status @ (400 | 403 | 410 | 422), is_page: false, .. } => Some(format!("{status} ")),
            _ => None,
        }
    }
}

/// Whether a status says that the server has not looked at the refresh token: it fails, wants to be
/// left alone (RFC 6585 section 4), or has another endpoint in its place.
const fn is_no_verdict(status: u16) -> bool {
    matches!(status, 405..=408 | 411 | 413..=415 | 417 | 421 | 425 | 426 | 429 | 431 | 451 | 500..)
}

fn says_that_it_is_dead(message: &str) -> bool {
    let message = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    // `RefreshToken` and `invalid` may also stand in two members of one error.
    has(&NAMES) && has(&IS_DEAD) && !has(&IS_OTHER)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::answer_words::AnswerWords;

    fn refusal(status: u16, answer: &Value) -> Refusal {
        Refusal { status, ..Refusal::new(AnswerWords::of(answer)) }
    }

    fn is_dead(status: u16, answer: &Value) -> bool {
        refusal(status, answer).ends_refresh_token(&[])
    }

    #[test]
    fn each_service_says_in_its_own_words_that_a_refresh_token_is_dead() {
        for (status, answer) in [
            (400, json!({"error": "invalid_grant"})),
            (401, json!({"error": "invalid_grant", "error_description": "The grant was issued to another client"})),
            (
                400,
                json!({"status": "BAD_REFRESH_TOKEN", "message": "missing or unknown refresh token", "correlationId": "0"}),
            ),
            (200, json!({"error": "bad_refresh_token", "error_description": "incorrect or expired"})),
            (
                400,
                json!({"errors": [{"errorType": "invalid_grant", "message": "Refresh token invalid"}], "success": false}),
            ),
            (400, json!({"status": 400, "message": "Invalid refresh token"})),
            (401, json!({"status": 401, "message": "Invalid refresh token", "error": "Unauthorized"})),
            (200, json!({"error": "invalid_code"})),
            (200, json!({"ok": false, "error": "invalid_refresh_token"})),
            (200, json!({"ok": false, "error": "token_revoked"})),
            (
                400,
                json!({"message": "Bad Request", "errors": [{"resource": "RefreshToken", "field": "refresh_token", "code": "invalid"}]}),
            ),
            (401, json!({"message": "Invalid refresh token", "type": "service.not_authorized"})),
            (403, json!({"error": "unauthorized_client", "error_description": "refresh_token is invalid"})),
            (403, json!({"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."})),
            (400, json!({"error": "interaction_required", "error_description": "AADSTS50076", "error_codes": [50076]})),
            (400, json!({"error": "invalid_request", "error_description": "The refresh_token is invalid."})),
            (400, json!({"error": "invalid_request", "error_description": "Invalid \"refresh_token\" in request."})),
            (400, json!({"error": "INVALID_REFRESH_TOKEN"})),
            (401, json!({"errorCode": "expired-refresh-token"})),
            (401, json!({"error": "invalid_token", "error_description": "Invalid refresh token (expired): x"})),
            (401, json!({"code": 283, "message": "The authorization grant is invalid"})),
            (400, json!({"error": {"code": "refresh_token_expired", "message": "again"}})),
            (400, json!({"error": "bad", "error_description": "Refresh token not found"})),
        ] {
            assert!(is_dead(status, &answer), "{status} {answer}");
        }
        let text = Refusal {
            status: 400,
            ..Refusal::new(AnswerWords::of_text(&http::HeaderMap::new(), b"Refresh token has expired"))
        };
        assert!(text.ends_refresh_token(&[]));
    }

    #[test]
    fn nothing_about_the_client_the_request_or_the_server_ends_a_refresh_token() {
        for (status, answer) in [
            (401, json!({"error": "invalid_client"})),
            (400, json!({"error": "invalid_client", "error_description": "refresh token invalid for this client"})),
            (400, json!({"status": "BAD_CLIENT_ID", "message": "missing or invalid refresh token"})),
            (200, json!({"error": "incorrect_client_credentials"})),
            (400, json!({"error": "unauthorized_client"})),
            (400, json!({"error": "unsupported_grant_type", "error_description": "refresh_token is invalid"})),
            (400, json!({"error": "invalid_request", "error_description": "Invalid grant type refresh_token"})),
            (
                400,
                json!({"error": "invalid_request", "error_description": "A required parameter \"refresh_token\" is missing"}),
            ),
            (400, json!({"error": "invalid_request"})),
            (400, json!({"error": "invalid_scope"})),
            (400, json!({"error": "temporarily_unavailable"})),
            (429, json!({"error": "invalid_grant"})),
            (503, json!({"error": "invalid_grant"})),
            (500, json!({"status": "BAD_REFRESH_TOKEN"})),
            (400, json!({"error": "slow_down", "error_description": "refresh token expired"})),
            (
                400,
                json!({"message": "The refresh token could not be validated at present, try again: temporarily invalid"}),
            ),
            (400, json!({"error": "bad_request", "error_description": "The access token is invalid"})),
            (400, json!({"message": "Bad Request"})),
            (404, json!({"message": "Not Found"})),
            (400, json!({})),
        ] {
            assert!(!is_dead(status, &answer), "{status} {answer}");
        }
    }

    #[test]
    fn a_providers_own_words_count_as_well_and_only_for_it() {
        let own = ["invalid_request: token was invalid".to_owned(), "400: Bad Request".to_owned()];
        let x = json!({"error": "invalid_request", "error_description": "Value passed for the token was invalid."});
        let reddit = json!({"message": "Bad Request", "error": 400});
        for answer in [&x, &reddit] {
            assert!(refusal(400, answer).ends_refresh_token(&own) && !is_dead(400, answer), "{answer}");
            assert!(!refusal(503, answer).ends_refresh_token(&own), "{answer}");
        }
        let other = json!({"error": "invalid_request", "error_description": "no redirect_uri"});
        assert!(!refusal(400, &other).ends_refresh_token(&own));
    }

    #[test]
    fn equal_refusals_have_one_signature_and_those_of_others_have_none() {
        let signature = |status, answer: Value| refusal(status, &answer).signature();
        assert_eq!(
            signature(400, json!({"error": "Odd Thing", "message": "at 12:00"})).as_deref(),
            Some("400 odd_thing")
        );
        assert_eq!(signature(400, json!({"message": "at 12:01"})).as_deref(), Some("400 "));
        assert_eq!(signature(403, json!({"error": "unauthorized_client"})).as_deref(), Some("403 unauthorized_client"));
        for (status, answer) in
            [(401, json!({"error": "invalid_client"})), (429, json!({"error": "x"})), (502, json!({}))]
        {
            assert_eq!(signature(status, answer), None);
        }
    }
}
