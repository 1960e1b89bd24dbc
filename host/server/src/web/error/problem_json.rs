//! An error as a problem in JSON (RFC 9457), with the headers that say the same.
//!
//! `type` is the URL of a page of this host that describes the code. A `urn:` would need a
//! registered namespace, and a URL elsewhere would leave a self-hosted product; programs tell
//! errors apart by `code`.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{Problem, WebError};
use jackfield_config::UrlPrefix;

/// Path of the page that describes the codes.
pub(in crate::web) const ERRORS_PATH: &str = "/api/errors/";

/// The body, and the headers beside it.
pub(super) struct ProblemJson {
    body: Body,
    headers: HeaderMap,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(rename = "type")]
    problem_type: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    request_id: String,
}

impl ProblemJson {
    pub(super) fn new(error: &WebError, prefix: &UrlPrefix, request_id: &str, is_proxy: bool) -> Self {
        let (problem, code) = (error.problem, error.problem.code());
        let body = Body {
            problem_type: format!("{}#{code}", prefix.absolute(ERRORS_PATH)),
            title: problem.title(),
            status: problem.status().as_u16(),
            detail: error.detail.to_string(),
            code,
            request_id: request_id.to_owned(),
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert("jackfield-error", HeaderValue::from_static(code));
        if let Some(challenge) = challenge(error) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if is_proxy && let Ok(status) = proxy_status(error).parse() {
            headers.insert("proxy-status", status);
        }
        Self { body, headers }
    }
}

impl IntoResponse for ProblemJson {
    fn into_response(self) -> Response {
        let json = serde_json::to_string(&self.body).expect("texts and a number are JSON");
        (self.headers, json).into_response()
    }
}

/// RFC 6750 section 3.
fn challenge(error: &WebError) -> Option<HeaderValue> {
    match (error.problem, error.scope) {
        (Problem::NotLoggedIn, _) => Some(HeaderValue::from_static("Bearer")),
        (Problem::InvalidToken, _) => Some(HeaderValue::from_static("Bearer error=\"invalid_token\"")),
        (Problem::MissingScope, Some(scope)) => {
            format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"").parse().ok()
        }
        _ => None,
    }
}

/// RFC 9209: the host as an intermediary, with one of the registered error types of section 2.3.
fn proxy_status(error: &WebError) -> String {
    let known = match error.problem {
        Problem::HostNotAllowed | Problem::UpgradeRefused => "http_request_denied",
        Problem::NoApi | Problem::NoProvider | Problem::Misconfigured => "proxy_configuration_error",
        Problem::NeedsReauthentication | Problem::Unavailable => "proxy_internal_response",
        Problem::Internal | Problem::Unreadable | Problem::UnusableToken => "proxy_internal_error",
        Problem::Busy => "connection_limit_reached",
        Problem::Unreachable => "destination_unavailable",
        Problem::TimedOut => "http_response_timeout",
        _ => "http_request_error",
    };
    format!("jackfield; error={}", error.proxy_status.unwrap_or(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jackfield_services::accounts::Scope;

    fn rendered(error: impl Into<WebError>, is_proxy: bool) -> (HeaderMap, String) {
        let prefix = "https://jackfield.example".parse().expect("a prefix");
        let ProblemJson { body, headers } = ProblemJson::new(&error.into(), &prefix, "0a1b", is_proxy);
        (headers, serde_json::to_string(&body).expect("it is JSON"))
    }

    #[test]
    fn a_problem_has_the_members_of_the_rfc_and_ours() {
        let (headers, body) = rendered(Problem::NoGrant, false);
        insta::assert_snapshot!(body, @r#"{"type":"https://jackfield.example/api/errors/#no-grant","title":"No such grant","status":404,"detail":"The integration has no such grant.","code":"no-grant","requestId":"0a1b"}"#);
        assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(headers["jackfield-error"], "no-grant");
        assert!(!headers.contains_key("proxy-status"));
    }

    #[test]
    fn a_challenge_says_what_is_wrong_with_the_token() {
        let challenge = |error: WebError| rendered(error, false).0.get(header::WWW_AUTHENTICATE).cloned();
        assert_eq!(challenge(Problem::NotLoggedIn.into()).expect("one"), "Bearer");
        assert_eq!(challenge(Problem::InvalidToken.into()).expect("one"), "Bearer error=\"invalid_token\"");
        let missing = challenge(WebError::missing_scope(Scope::OrgRead)).expect("one");
        assert_eq!(missing, "Bearer error=\"insufficient_scope\", scope=\"org:read\"");
        assert_eq!(challenge(Problem::NotFound.into()), None);
    }

    #[test]
    fn the_proxy_says_by_its_own_rfc_what_went_wrong() {
        let status = |error: WebError| rendered(error, true).0["proxy-status"].to_str().expect("text").to_owned();
        assert_eq!(status(Problem::TimedOut.into()), "jackfield; error=http_response_timeout");
        assert_eq!(status(Problem::NotFound.into()), "jackfield; error=http_request_error");
        let refused = WebError { proxy_status: Some("connection_refused"), ..Problem::Unreachable.into() };
        assert_eq!(status(refused), "jackfield; error=connection_refused");
    }
}
