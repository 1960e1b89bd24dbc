//! The token endpoint: posts a grant (RFC 6749 sections 4.1.3 and 6) and reads the answer (section
//! 5).

use http::Response;
use jackfield_outbound::Outbound;
use jackfield_plugin_abi::envelope::{OAuth2, State};
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    answer_words::{AnswerWords, is_page},
    authorization::AuthorizationCode,
    client::{Parameters, PostResponse, post},
    retry_after::retry_after,
    token_body,
    token_error::{Refusal, TokenError},
};

/// Posts the parameters of a grant to an endpoint and returns its answer: an object with whatever
/// the provider sends.
///
/// # Errors
/// When the request fails, or the endpoint gives no token.
pub(super) async fn request_from(
    oauth2: &OAuth2,
    url: &str,
    parameters: Parameters,
    outbound: &Outbound,
    now: OffsetDateTime,
) -> Result<State, TokenError> {
    let PostResponse { response, parameters } = post(oauth2, url, parameters, outbound, now).await?;
    token_answer(&response, now).map_err(|error| without_secrets(error, &parameters))
}

/// Exchanges a code for the token answer.
pub(super) async fn exchange(
    oauth2: &OAuth2,
    code: &AuthorizationCode,
    redirect_uri: &str,
    outbound: &Outbound,
    now: OffsetDateTime,
) -> Result<State, TokenError> {
    request_from(oauth2, &oauth2.token_url, parameters(oauth2, code, redirect_uri), outbound, now).await
}

/// RFC 6749 section 4.1.3, with the verifier of RFC 7636 section 4.5.
fn parameters(oauth2: &OAuth2, code: &AuthorizationCode, redirect_uri: &str) -> Parameters {
    let parameters =
        Parameters::grant("authorization_code").secret("code", &code.code).with("redirect_uri", redirect_uri);
    let parameters = match &code.verifier {
        Some(verifier) => parameters.secret("code_verifier", verifier),
        None => parameters,
    };
    oauth2.token_parameters.iter().fold(parameters, |parameters, (name, value)| parameters.with(name, value))
}

/// An error in the answer counts with any status: RFC 6749 section 5.2 sends it with 400, Slack
/// with 200. Other words than the RFC's count with a status that refuses.
fn token_answer(response: &Response<Vec<u8>>, now: OffsetDateTime) -> Result<State, TokenError> {
    let status = response.status();
    let retry_after = retry_after(response.headers(), now);
    let refused =
        |refusal: Refusal| TokenError::Refused(Box::new(Refusal { status: status.as_u16(), retry_after, ..refusal }));
    let is_page = is_page(response.headers(), response.body());
    let failed = |found| TokenError::Answer { status: status.as_u16(), found, is_page, retry_after };
    let answer = match token_body::parse(response) {
        Ok(answer) => answer,
        Err(found) => {
            let words = AnswerWords::of_body(response.headers(), response.body());
            let is_refusal = status.is_client_error() && !words.is_empty();
            return Err(if is_refusal { refused(Refusal::new(words)) } else { failed(found) });
        }
    };
    if let Some(refusal) = refusal(&answer, status.is_client_error()) {
        return Err(refused(refusal));
    }
    if status.is_success() { Ok(answer) } else { Err(failed("neither a token nor an error")) }
}

/// The error in an answer. With a status that refuses, other words than the RFC's are one as well.
fn refusal(answer: &State, is_refused: bool) -> Option<Refusal> {
    let (code, description) = (text_of(answer, "error"), text_of(answer, "error_description"));
    let has_error = code.is_some() || description.is_some();
    if !has_error && !is_refused {
        return None;
    }
    let words = AnswerWords::of(&Value::Object(answer.clone()));
    if !has_error && words.is_empty() {
        return None;
    }
    let is_text = matches!(answer.get("error"), None | Some(Value::Null | Value::String(_)));
    let code = if has_error && is_text { code } else { words.code().map(str::to_owned).or(code) };
    Some(Refusal { code: code.unwrap_or_default(), description, ..Refusal::new(words) })
}

/// The text of a member that is neither absent nor null nor empty.
fn text_of(answer: &State, key: &str) -> Option<String> {
    match answer.get(key)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    }
}

/// A provider may quote the request in its error.
fn without_secrets(error: TokenError, parameters: &Parameters) -> TokenError {
    let TokenError::Refused(mut refusal) = error else { return error };
    refusal.code = parameters.redacted(&refusal.code);
    refusal.description = refusal.description.map(|text| parameters.redacted(&text));
    refusal.words = refusal.words.map(|text| parameters.redacted(text));
    TokenError::Refused(refusal)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-25 12:00 UTC);

    fn judged(status: u16, content_type: &str, body: &str) -> Result<State, TokenError> {
        let response = Response::builder()
            .status(status)
            .header("content-type", content_type)
            .header("retry-after", "7")
            .body(body.as_bytes().to_vec())
            .expect("a valid response");
        token_answer(&response, NOW)
    }

    fn answer(status: u16, content_type: &str, body: &str) -> Result<State, String> {
        judged(status, content_type, body).map_err(|error| error.to_string())
    }

    #[test]
    fn a_code_is_sent_with_its_verifier_and_the_providers_parameters() {
        let oauth2 = OAuth2::new("https://a.example/", "https://a.example/token").token_parameter("x", "y");
        for verifier in [None, Some("v")] {
            let code = AuthorizationCode { code: "c/d".to_owned(), verifier: verifier.map(str::to_owned), nonce: None };
            let wanted =
                Parameters::grant("authorization_code").secret("code", "c/d").with("redirect_uri", "https://j/");
            let wanted = verifier.map_or(wanted.clone(), |verifier| wanted.secret("code_verifier", verifier));
            let is_equal = parameters(&oauth2, &code, "https://j/").is_same(&wanted.with("x", "y"));
            assert!(is_equal, "{verifier:?}");
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
    fn an_answer_without_a_token_is_an_error() {
        let (json, no) = ("application/json", "the token endpoint answered ");
        let cases = [
            (200, json, r#"{"error": "e", "error_description": "because"}"#, "the error `e`: because"),
            (200, json, r#"{"error_description": "because"}"#, "an error: because"),
            (400, json, r#"{"error": "invalid_grant"}"#, "the error `invalid_grant`"),
            (200, json, r#"{"ok": false, "error": "invalid_code"}"#, "the error `invalid_code`"),
            (500, "text/html", "<h1>oops</h1>", "status 500 with a body that is not JSON"),
            (500, json, "{}", "status 500 with a body that is neither a token nor an error"),
            (302, json, r#"{"access_token": "t"}"#, "status 302 with a body that is neither a token nor an error"),
            (200, json, "[]", "status 200 with a body that is JSON but not an object"),
            (200, json, "", "status 200 with a body that is empty"),
            (400, json, r#"{"status": "BAD_AUTH_CODE", "message": "unknown"}"#, "the error `BAD_AUTH_CODE`: unknown"),
            (400, json, r#"{"error": {"type": "OAuthException", "message": "no"}}"#, "the error `OAuthException`: no"),
            (400, json, r#"{"error": true, "status": 400, "message": "Bad"}"#, "the error `400`: Bad"),
            (401, json, r#"{"error": "x", "reason": "Invalid Token!"}"#, "the error `x`: Invalid Token!"),
            (400, "text/plain", "Invalid code", "an error: Invalid code"),
            (400, "text/html", "<h1>Invalid code</h1>", "status 400 with a body that is not JSON"),
            (400, json, "{}", "status 400 with a body that is neither a token nor an error"),
            (503, json, r#"{"message": "down"}"#, "status 503 with a body that is neither a token nor an error"),
        ];
        for (status, content_type, body, said) in cases {
            assert_eq!(answer(status, content_type, body), Err(format!("{no}{said}")), "{body}");
        }
    }

    #[test]
    fn a_refusal_differs_from_an_outage_and_both_keep_status_and_retry_after() {
        // RFC 6749 section 5.2.
        let refusal = |body| match judged(400, "application/json", body) {
            Err(TokenError::Refused(refusal)) => *refusal,
            other => panic!("{other:?}"),
        };
        let invalid = refusal(r#"{"error": "invalid_grant", "error_description": "used"}"#);
        let other = refusal(r#"{"error": "invalid_client"}"#);
        assert!(invalid.ends_refresh_token(&[]) && !other.ends_refresh_token(&[]));
        assert_eq!((invalid.status, invalid.retry_after), (400, Some(Duration::from_secs(7))));
        let outage = judged(503, "text/html", "");
        let is_kept = matches!(outage, Err(TokenError::Answer { status: 503, retry_after: Some(wait), .. }) if wait.as_secs() == 7);
        assert!(is_kept, "{outage:?}");
    }

    #[test]
    fn an_error_that_quotes_the_request_loses_its_secrets() {
        let parameters = Parameters::default().secret("code", "c0de").secret("client_secret", "s3cret");
        let error = judged(400, "application/json", r#"{"error": "c0de?", "error_description": "c0de for s3cret"}"#);
        let error = without_secrets(error.expect_err("it refuses"), &parameters);
        assert_eq!(error.to_string(), "the token endpoint answered the error `[secret]?`: [secret] for [secret]");
    }
}
