//! The token request (RFC 6749 section 4.1.3) and its answer (section 5).

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, Request, Response, header};
use jackfield_plugin_abi::envelope::{ClientAuthentication, OAuth2, State, TokenRequest};
use serde_json::Value;
use thiserror::Error;
use url::form_urlencoded;

use super::authorization::Code;
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
    /// A dialect of a later version.
    #[error("the provider wants {0} that this host does not know; a newer host may")]
    Dialect(&'static str),
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
    code: &Code,
    redirect_uri: &str,
    outbound: &Outbound,
) -> Result<State, TokenError> {
    let response = outbound.send(token_request(oauth2, code, redirect_uri)?).await?;
    let secrets = [&code.code, oauth2.client_secret.expose(), code.verifier.as_deref().unwrap_or_default()];
    judge(&response).map_err(|error| without_secrets(error, &secrets))
}

fn token_request(oauth2: &OAuth2, code: &Code, redirect_uri: &str) -> Result<Request<Vec<u8>>, TokenError> {
    let (content_type, body) = body(oauth2, &parameters(oauth2, code, redirect_uri))?;
    let request = Request::post(&oauth2.token_url)
        .header(header::CONTENT_TYPE, content_type)
        .header(header::ACCEPT, "application/json");
    let request = match oauth2.client_authentication {
        ClientAuthentication::Post => request,
        ClientAuthentication::Basic => request.header(header::AUTHORIZATION, basic(oauth2)),
        ClientAuthentication::Unknown => return Err(TokenError::Dialect("a way of client authentication")),
    };
    request.body(body).map_err(|_| TokenError::Url)
}

type Parameters<'a> = Vec<(&'a str, &'a str)>;

/// RFC 6749 section 4.1.3, with the verifier of RFC 7636 section 4.5. A client that proves itself by HTTP Basic does not do so in the
/// body as well (RFC 6749 section 2.3).
fn parameters<'a>(oauth2: &'a OAuth2, code: &'a Code, redirect_uri: &'a str) -> Parameters<'a> {
    let mut parameters =
        vec![("grant_type", "authorization_code"), ("code", code.code.as_str()), ("redirect_uri", redirect_uri)];
    if oauth2.client_authentication == ClientAuthentication::Post {
        parameters.extend([("client_id", oauth2.client_id.as_str()), ("client_secret", oauth2.client_secret.expose())]);
    }
    parameters.extend(code.verifier.as_deref().map(|verifier| ("code_verifier", verifier)));
    parameters.extend(oauth2.token_parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    parameters
}

fn body(oauth2: &OAuth2, parameters: &Parameters<'_>) -> Result<(&'static str, Vec<u8>), TokenError> {
    match oauth2.token_request {
        TokenRequest::Form => {
            let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
            Ok(("application/x-www-form-urlencoded", form.into_bytes()))
        }
        TokenRequest::Json => {
            let object: State = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
            Ok(("application/json", Value::Object(object).to_string().into_bytes()))
        }
        TokenRequest::Unknown => Err(TokenError::Dialect("a body of the token request")),
    }
}

/// RFC 6749 section 2.3.1: id and secret are form-encoded first, so that a colon in the id does not end it.
fn basic(oauth2: &OAuth2) -> String {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(&oauth2.client_id), encoded(oauth2.client_secret.expose()));
    format!("Basic {}", BASE64_STANDARD.encode(pair))
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

    fn acme() -> OAuth2 {
        OAuth2::new("https://a.example/", "https://a.example/token").client("i:d", "s&t").token_parameter("x", "y")
    }

    /// Authorization, content type and body of the request for a code.
    fn asked(oauth2: &OAuth2, verifier: Option<&str>) -> Result<String, String> {
        let code = Code { code: "c/d".to_owned(), verifier: verifier.map(str::to_owned) };
        let request = token_request(oauth2, &code, "https://j.example/setup/").map_err(|error| error.to_string())?;
        assert_eq!((request.method().as_str(), &*request.uri().to_string()), ("POST", "https://a.example/token"));
        let header = |name| request.headers().get(name).map_or("-", |value| value.to_str().expect("text"));
        let body = String::from_utf8_lossy(request.body());
        Ok(format!("{} {} {body}", header("authorization"), header("content-type")))
    }

    #[test]
    fn the_token_request_is_exact_in_every_dialect() {
        insta::assert_snapshot!(asked(&acme(), None).expect("a dialect"), @"- application/x-www-form-urlencoded grant_type=authorization_code&code=c%2Fd&redirect_uri=https%3A%2F%2Fj.example%2Fsetup%2F&client_id=i%3Ad&client_secret=s%26t&x=y");
        insta::assert_snapshot!(asked(&acme(), Some("v")).expect("a dialect"), @"- application/x-www-form-urlencoded grant_type=authorization_code&code=c%2Fd&redirect_uri=https%3A%2F%2Fj.example%2Fsetup%2F&client_id=i%3Ad&client_secret=s%26t&code_verifier=v&x=y");
        let basic = acme().client_authentication(ClientAuthentication::Basic);
        insta::assert_snapshot!(asked(&basic, Some("v")).expect("a dialect"), @"Basic aSUzQWQ6cyUyNnQ= application/x-www-form-urlencoded grant_type=authorization_code&code=c%2Fd&redirect_uri=https%3A%2F%2Fj.example%2Fsetup%2F&code_verifier=v&x=y");
        let json = acme().token_request(TokenRequest::Json);
        insta::assert_snapshot!(asked(&json, Some("v")).expect("a dialect"), @r#"- application/json {"client_id":"i:d","client_secret":"s&t","code":"c/d","code_verifier":"v","grant_type":"authorization_code","redirect_uri":"https://j.example/setup/","x":"y"}"#);
        let both = basic.token_request(TokenRequest::Json);
        insta::assert_snapshot!(asked(&both, None).expect("a dialect"), @r#"Basic aSUzQWQ6cyUyNnQ= application/json {"code":"c/d","grant_type":"authorization_code","redirect_uri":"https://j.example/setup/","x":"y"}"#);
    }

    #[test]
    fn a_dialect_of_a_later_version_is_refused_before_anything_is_sent() {
        let cases = [
            (acme().client_authentication(ClientAuthentication::Unknown), "a way of client authentication"),
            (acme().token_request(TokenRequest::Unknown), "a body of the token request"),
        ];
        for (oauth2, what) in cases {
            let said = format!("the provider wants {what} that this host does not know; a newer host may");
            assert_eq!(asked(&oauth2, None), Err(said));
        }
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
