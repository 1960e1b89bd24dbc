//! The userinfo endpoint (OpenID Connect Core 1.0 section 5.3).

use http::{Request, Response, header};
use jackfield_outbound::{Outbound, OutboundError};
use jackfield_plugin_abi::{envelope::State, readable_json};
use serde_json::Value;
use thiserror::Error;

use super::{content_type::content_type, metadata::DiscoveryError};
use crate::jose::JoseError;

/// Why there is no userinfo. Holds neither token nor claim.
#[derive(Debug, Error)]
pub enum UserinfoError {
    /// The request failed.
    #[error("the request to the userinfo endpoint failed: {0}")]
    Outbound(#[from] OutboundError),
    /// The token or the endpoint is missing.
    #[error("the userinfo endpoint cannot be used: there is no {0}")]
    Missing(&'static str),
    /// The answer is not a JSON object, or an error.
    #[error("the userinfo endpoint answered status {0} and no JSON object")]
    Answer(u16),
    /// The answer is signed, and the signature cannot be verified.
    #[error("the userinfo endpoint answered a signed text (application/jwt): {0}")]
    Signed(#[from] JoseError),
    /// The keys for a signed answer are not known.
    #[error("the userinfo endpoint answered a signed text (application/jwt), and the issuer's keys are not known: {0}")]
    Keys(DiscoveryError),
    /// A signed answer is of another issuer, or for another client.
    #[error("the userinfo endpoint answered a signed text (application/jwt) whose claim `{0}` is not the expected one")]
    Claim(&'static str),
    /// The answer is about another subject than the ID token.
    #[error("the userinfo is about another subject than the ID token")]
    OtherSubject,
}

/// What the endpoint answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// The claims.
    Claims(State),
    /// The claims in a signed text, which is not verified yet.
    Signed(String),
}

/// Asks the endpoint.
pub(super) async fn fetch(
    endpoint: Option<&str>,
    access_token: Option<&str>,
    outbound: &Outbound,
) -> Result<Answered, UserinfoError> {
    let endpoint = endpoint.ok_or(UserinfoError::Missing("userinfo_endpoint in the issuer's metadata"))?;
    let token = access_token.ok_or(UserinfoError::Missing("access_token in the token answer"))?;
    let request = Request::get(endpoint)
        .header(header::ACCEPT, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Vec::new())
        .map_err(|_| UserinfoError::Missing("endpoint or token that can stand in a request"))?;
    answered(&outbound.send(request).await?)
}

/// Section 5.3.2: JSON, or a signed text if the client was registered so. What it is counts, and
/// not what it is called.
fn answered(response: &Response<Vec<u8>>) -> Result<Answered, UserinfoError> {
    let no_answer = || UserinfoError::Answer(response.status().as_u16());
    if !response.status().is_success() {
        return Err(no_answer());
    }
    let body = readable_json(response.body(), content_type(response.headers()));
    match serde_json::from_slice(&body) {
        Ok(Value::Object(claims)) => Ok(Answered::Claims(claims)),
        // A signed text in quotes.
        Ok(Value::String(text)) if is_compact(&text) => Ok(Answered::Signed(text)),
        Ok(_) => Err(no_answer()),
        Err(_) => match std::str::from_utf8(&body).map(str::trim) {
            Ok(text) if is_compact(text) => Ok(Answered::Signed(text.to_owned())),
            _ => Err(no_answer()),
        },
    }
}

/// RFC 7515 section 7.1, RFC 7516 section 7.1: parts of base64url with dots between them.
fn is_compact(text: &str) -> bool {
    let is_part = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte));
    matches!(text.matches('.').count(), 2 | 4) && text.split('.').all(is_part)
}

/// Checks what a signed answer says of its issuer and its client (section 5.3.2: it should say
/// both).
pub(super) fn check_signed(claims: &State, issuer: &str, client_id: &str) -> Result<(), UserinfoError> {
    if claims.get("iss").is_some_and(|given| given != issuer) {
        return Err(UserinfoError::Claim("iss"));
    }
    let is_for_client = |audience: &Value| match audience {
        Value::Array(several) => several.iter().any(|one| one == client_id),
        one => one == client_id,
    };
    if claims.get("aud").is_some_and(|audience| !is_for_client(audience)) {
        return Err(UserinfoError::Claim("aud"));
    }
    Ok(())
}

/// The subject must be that of the verified ID token (section 5.3.2). One with a character that
/// could not be read may be another's.
pub(super) fn check_subject(claims: &State, subject: Option<&Value>) -> Result<(), UserinfoError> {
    let found = claims.get("sub").filter(|found| !found.as_str().is_some_and(is_mangled));
    if found.is_none() || subject.is_some_and(|subject| found != Some(subject)) {
        return Err(UserinfoError::OtherSubject);
    }
    Ok(())
}

fn is_mangled(text: &str) -> bool {
    text.contains(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(status: u16, content_type: &str, body: &str) -> Result<Answered, String> {
        let response = Response::builder().status(status).header("content-type", content_type);
        let response = response.body(body.as_bytes().to_vec()).expect("a response");
        answered(&response).map_err(|error| error.to_string())
    }

    #[test]
    fn an_answer_is_claims_or_a_signed_text_whatever_it_is_called() {
        let claims = Answered::Claims(json!({"sub": "U1"}).as_object().expect("an object").clone());
        for content_type in ["application/json", "application/jwt", "text/html"] {
            assert_eq!(read(200, content_type, "\u{feff}{\"sub\": \"U1\"}").as_ref(), Ok(&claims), "{content_type}");
            for text in ["e30.e30.c2ln", " e30.e30.c2ln\r\n", "\"e30.e30.c2ln\""] {
                assert_eq!(read(200, content_type, text), Ok(Answered::Signed("e30.e30.c2ln".to_owned())), "{text}");
            }
        }
        let no_object = |status| Err(format!("the userinfo endpoint answered status {status} and no JSON object"));
        for body in ["", "[]", "7", "<html>", "a.b", "\"a\""] {
            assert_eq!(read(200, "application/json", body), no_object(200), "{body}");
        }
        assert_eq!(read(401, "application/json", "{\"sub\": \"U1\"}"), no_object(401));
    }

    #[test]
    fn a_signed_answer_is_of_this_issuer_and_for_this_client_if_it_says_so() {
        for (claims, wrong) in [
            (json!({"sub": "U"}), None),
            (json!({"iss": "i", "aud": "c"}), None),
            (json!({"iss": "i", "aud": ["x", "c"]}), None),
            (json!({"iss": "other"}), Some("iss")),
            (json!({"iss": null}), Some("iss")),
            (json!({"aud": "other"}), Some("aud")),
            (json!({"aud": []}), Some("aud")),
        ] {
            let checked = check_signed(claims.as_object().expect("an object"), "i", "c");
            let found = checked.err().map(|error| error.to_string());
            assert_eq!(found.is_some(), wrong.is_some(), "{claims}");
            assert!(found.is_none_or(|words| words.contains(wrong.unwrap_or_default())), "{claims}");
        }
    }

    #[test]
    fn a_subject_is_that_of_the_id_token_and_can_be_read() {
        let is_subject = |claims: Value, subject: Option<Value>| {
            check_subject(claims.as_object().expect("an object"), subject.as_ref()).is_ok()
        };
        assert!(is_subject(json!({"sub": "U"}), Some("U".into())) && is_subject(json!({"sub": 7}), None));
        assert!(!is_subject(json!({"sub": "U"}), Some("V".into())) && !is_subject(json!({}), None));
        assert!(!is_subject(json!({"sub": "U\u{fffd}"}), Some("U\u{fffd}".into())));
    }
}
