//! The token request (RFC 6749 section 4.1.3) and its answer (section 5).

use http::{HeaderMap, Request, Response, header};
use jackfield_plugin_abi::envelope::{OAuth2, State};
use serde_json::Value;
use thiserror::Error;
use url::form_urlencoded;

use crate::outbound::{Outbound, OutboundError};

/// Why the token endpoint gave no token. Holds neither code nor secret.
#[derive(Debug, Error)]
pub enum TokenError {
    /// It could not be asked, or its answer not taken.
    #[error("the token endpoint could not be asked: {0}")]
    Outbound(#[from] OutboundError),
    /// The token endpoint is not a URL.
    #[error("the token endpoint is not a URL")]
    Url,
    /// It refused with an `error_description`.
    #[error("the token endpoint answered an error: {}", .0.escape_debug())]
    Described(String),
    /// It refused with an `error` alone.
    #[error("the token endpoint answered the error `{}`", .0.escape_debug())]
    Refused(String),
    /// It answered neither a token nor an error.
    #[error("the token endpoint answered status {status} with a body that is {found}")]
    Answer {
        /// Status code.
        status: u16,
        /// What the body is.
        found: &'static str,
    },
}

/// Exchanges a code for the token answer, an object of whatever the provider sends.
pub(super) async fn exchange(
    oauth2: &OAuth2,
    code: &str,
    redirect_uri: &str,
    outbound: &Outbound,
) -> Result<State, TokenError> {
    let response = outbound.send(token_request(oauth2, code, redirect_uri)?).await?;
    judge(&response).map_err(|error| without_secrets(error, &[code, oauth2.client_secret.expose()]))
}

fn token_request(oauth2: &OAuth2, code: &str, redirect_uri: &str) -> Result<Request<Vec<u8>>, TokenError> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("client_id", &oauth2.client_id)
        .append_pair("client_secret", oauth2.client_secret.expose())
        .extend_pairs(&oauth2.token_parameters)
        .finish();
    Request::post(&oauth2.token_url)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json")
        .body(form.into_bytes())
        .map_err(|_| TokenError::Url)
}

/// An error in the answer counts whatever the status: RFC 6749 section 5.2 sends it with 400, Slack with 200.
fn judge(response: &Response<Vec<u8>>) -> Result<State, TokenError> {
    let status = response.status().as_u16();
    let answer = parse(response).map_err(|found| TokenError::Answer { status, found })?;
    if let Some(description) = said(&answer, "error_description") {
        return Err(TokenError::Described(description));
    }
    if let Some(error) = said(&answer, "error") {
        return Err(TokenError::Refused(error));
    }
    if response.status().is_success() {
        Ok(answer)
    } else {
        Err(TokenError::Answer { status, found: "neither a token nor an error" })
    }
}

fn parse(response: &Response<Vec<u8>>) -> Result<State, &'static str> {
    if is_form(response.headers()) {
        return Ok(form_urlencoded::parse(response.body())
            .map(|(name, value)| (name.into_owned(), Value::from(value)))
            .collect());
    }
    match serde_json::from_slice(response.body()) {
        Ok(Value::Object(answer)) => Ok(answer),
        Ok(_) => Err("JSON but not an object"),
        Err(_) => Err("not JSON"),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// A member that says something: present, and neither null nor empty.
fn said(answer: &State, key: &str) -> Option<String> {
    match answer.get(key)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    }
}

/// A provider may quote the request in its error.
fn without_secrets(error: TokenError, secrets: &[&str]) -> TokenError {
    let hide = |text: String| {
        secrets.iter().filter(|secret| !secret.is_empty()).fold(text, |text, secret| text.replace(secret, "[secret]"))
    };
    match error {
        TokenError::Described(text) => TokenError::Described(hide(text)),
        TokenError::Refused(text) => TokenError::Refused(hide(text)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: &str, body: &str) -> Result<State, String> {
        let response = Response::builder()
            .status(status)
            .header("content-type", content_type)
            .body(body.as_bytes().to_vec())
            .expect("a valid response");
        judge(&response).map_err(|error| error.to_string())
    }

    #[test]
    fn the_token_request_is_exact() {
        let oauth2 =
            OAuth2::new("https://a.example/", "https://a.example/token").client("id", "s&t").token_parameter("x", "y");
        let request = token_request(&oauth2, "c/d", "https://j.example/extensions/a/setup/").expect("a URL");
        assert_eq!(
            (request.method().as_str(), request.uri().to_string().as_str()),
            ("POST", "https://a.example/token")
        );
        insta::assert_snapshot!(String::from_utf8_lossy(request.body()), @"grant_type=authorization_code&code=c%2Fd&redirect_uri=https%3A%2F%2Fj.example%2Fextensions%2Fa%2Fsetup%2F&client_id=id&client_secret=s%26t&x=y");
    }

    #[test]
    fn answers_are_read_by_their_content_type() {
        let token = serde_json::json!({"access_token": "t", "scope": "a b"}).as_object().cloned().expect("an object");
        let form = "access_token=t&scope=a+b";
        assert_eq!(answer(200, "application/json", r#"{"access_token": "t", "scope": "a b"}"#), Ok(token.clone()));
        assert_eq!(answer(200, "application/x-www-form-urlencoded; charset=utf-8", form), Ok(token));
        assert!(answer(200, "application/json", form).is_err());
    }

    #[test]
    fn what_is_no_token_is_an_error() {
        let (json, no) = ("application/json", "the token endpoint answered ");
        let cases = [
            (200, json, r#"{"error": "e", "error_description": "because"}"#, "an error: because"),
            (400, json, r#"{"error": "invalid_grant"}"#, "the error `invalid_grant`"),
            (200, json, r#"{"ok": false, "error": "invalid_code"}"#, "the error `invalid_code`"),
            (500, "text/html", "<h1>oops</h1>", "status 500 with a body that is not JSON"),
            (500, json, "{}", "status 500 with a body that is neither a token nor an error"),
            (302, json, r#"{"access_token": "t"}"#, "status 302 with a body that is neither a token nor an error"),
            (200, json, "[]", "status 200 with a body that is JSON but not an object"),
            (200, json, "", "status 200 with a body that is not JSON"),
        ];
        for (status, content_type, body, said) in cases {
            assert_eq!(answer(status, content_type, body), Err(format!("{no}{said}")), "{body}");
        }
    }

    #[test]
    fn an_error_that_quotes_the_request_loses_its_secrets() {
        let error = without_secrets(TokenError::Described("bad code c0de for s3cret".into()), &["c0de", "s3cret", ""]);
        assert_eq!(error.to_string(), "the token endpoint answered an error: bad code [secret] for [secret]");
    }
}
