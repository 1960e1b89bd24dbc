//! The token endpoint and the revocation endpoint.

use axum::http::{Method, StatusCode};
use jackfield_stand_in::{AuthorizationCodes, IssuedTokens, Parameters, TokenPolicy, TokenRegistry, s256};
use serde_json::{Map, Value, json};

use super::{
    grant::Grant,
    message::{PlayedResponse, ServiceRequest},
};

/// The answer to a token request; `None` to any other request. `shaped` are the members that the
/// author adds or replaces.
pub(super) fn token(
    codes: &AuthorizationCodes<Grant>,
    tokens: &TokenRegistry,
    request: &ServiceRequest,
    shaped: &Map<String, Value>,
    id_token: impl FnOnce(&Grant) -> Option<String>,
) -> Option<PlayedResponse> {
    let parameters = request.parameters();
    let grant_type = parameters.get("grant_type").filter(|_| request.method == Method::POST)?;
    let (scope, id_token) = match grant_type {
        "authorization_code" => match exchange(codes, &parameters) {
            Ok(grant) => (grant.scope.clone(), id_token(&grant)),
            Err(why) => return Some(invalid_grant(why)),
        },
        // The other grants need no person, so any request gets tokens.
        _ => (parameters.get("scope").map(str::to_owned), None),
    };
    let mut answer = token_response(tokens, scope);
    answer.extend(id_token.map(|token| ("id_token".to_owned(), token.into())));
    answer.extend(shaped.clone());
    Some(PlayedResponse::json(StatusCode::OK, &Value::Object(answer)))
}

/// RFC 6749 section 4.1.3 and RFC 7636 section 4.6.
fn exchange(codes: &AuthorizationCodes<Grant>, parameters: &Parameters) -> Result<Grant, &'static str> {
    let code = parameters.get("code").ok_or("there is no code")?;
    let grant = codes.redeem(code).ok_or("the code was not given out here, or was used")?;
    if parameters.get("redirect_uri") != Some(&grant.redirect_uri) {
        return Err("the redirect_uri is another than the one that was asked with");
    }
    if grant.challenge.is_some() && grant.challenge != parameters.get("code_verifier").map(s256) {
        return Err("the code_verifier does not fit the code_challenge");
    }
    Ok(grant)
}

/// RFC 6749 section 5.1.
fn token_response(tokens: &TokenRegistry, scope: Option<String>) -> Map<String, Value> {
    let policy = TokenPolicy {
        access_prefix: "dev-access-".to_owned(),
        refresh_prefix: Some("dev-refresh-".to_owned()),
        expires_in: Some(3600),
        ..TokenPolicy::default()
    };
    let IssuedTokens { access, refresh, expires_in, .. } = tokens.issue("dev", Value::Null, &policy);
    let response = json!({
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": expires_in,
        "refresh_token": refresh,
        "scope": scope.unwrap_or_default(),
    });
    response.as_object().cloned().unwrap_or_default()
}

/// The answer to a revocation, which is accepted for any token (RFC 7009 section 2.2); `None` to
/// any other request.
pub(super) fn revocation(request: &ServiceRequest) -> Option<PlayedResponse> {
    let parameters = request.parameters();
    let has = |name| parameters.get(name).is_some();
    let is_revocation = request.method == Method::POST && has("token") && has("token_type_hint");
    is_revocation.then(|| PlayedResponse::json(StatusCode::OK, &json!({})))
}

fn invalid_grant(why: &str) -> PlayedResponse {
    let body = json!({"error": "invalid_grant", "error_description": why});
    PlayedResponse::json(StatusCode::BAD_REQUEST, &body)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::http::header;
    use jackfield_stand_in::Clock;
    use url::form_urlencoded;

    use super::*;

    const BACK: &str = "http://127.0.0.1:1/back";

    fn request(body: String, content_type: &str) -> ServiceRequest {
        let headers = [(header::CONTENT_TYPE, content_type.parse().expect("a header value"))];
        let url = "https://acme.example/token".to_owned();
        ServiceRequest { method: Method::POST, url, headers: headers.into_iter().collect(), body: body.into() }
    }

    fn played(
        codes: &AuthorizationCodes<Grant>,
        request: &ServiceRequest,
        shaped: &Map<String, Value>,
    ) -> Option<PlayedResponse> {
        let tokens = TokenRegistry::new(Arc::new(Clock::default()));
        token(codes, &tokens, request, shaped, |grant| grant.nonce.clone())
    }

    fn answer(
        codes: &AuthorizationCodes<Grant>,
        parameters: &[(&str, &str)],
        shaped: &Map<String, Value>,
    ) -> (u16, Value) {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let request = request(body, "application/x-www-form-urlencoded");
        let played = played(codes, &request, shaped).expect("a token request");
        (played.status.as_u16(), serde_json::from_slice(&played.body).expect("JSON"))
    }

    fn grant(challenge: Option<&str>) -> Grant {
        Grant {
            redirect_uri: BACK.into(),
            scope: Some("read".into()),
            challenge: challenge.map(str::to_owned),
            client_id: "c".into(),
            nonce: Some("n".into()),
            issuer: None,
        }
    }

    #[test]
    fn a_code_is_exchanged_once_for_a_token_that_the_author_can_shape() {
        let codes = AuthorizationCodes::default();
        let code = codes.issue("dev-code-", grant(None));
        let exchange = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK)];
        let shaped = json!({"access_token": "t0ken", "ok": true}).as_object().cloned().expect("an object");
        let (status, token) = answer(&codes, &exchange, &shaped);
        assert_eq!((status, &token["access_token"], &token["ok"]), (200, &json!("t0ken"), &json!(true)));
        assert_eq!((&token["scope"], &token["token_type"]), (&json!("read"), &json!("Bearer")));
        assert_eq!(token["id_token"], "n", "made of what the code was issued for");
        let (status, error) = answer(&codes, &exchange, &shaped);
        assert_eq!((status, &error["error"]), (400, &json!("invalid_grant")));
    }

    #[test]
    fn another_way_back_and_another_verifier_are_refused() {
        // The example of RFC 7636 appendix B.
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        for (back, verifier, status) in
            [(BACK, verifier, 200), (BACK, "another", 400), ("http://127.0.0.1:1/", verifier, 400)]
        {
            let codes = AuthorizationCodes::default();
            let code = codes.issue("dev-code-", grant(Some(challenge)));
            let exchange = [
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", back),
                ("code_verifier", verifier),
            ];
            assert_eq!(answer(&codes, &exchange, &Map::new()).0, status, "{back} {verifier}");
        }
    }

    #[test]
    fn a_token_request_may_be_json_and_other_requests_are_not_answered() {
        let codes = AuthorizationCodes::default();
        let body = json!({"grant_type": "refresh_token", "refresh_token": "r"}).to_string();
        assert!(played(&codes, &request(body, "application/json"), &Map::new()).is_some());
        assert!(played(&codes, &request("a=b".into(), "text/plain"), &Map::new()).is_none());
    }

    #[test]
    fn a_revocation_is_accepted() {
        let form = |text: &str| revocation(&request(text.into(), "application/x-www-form-urlencoded"));
        let played = form("token=t&token_type_hint=access_token").expect("a revocation");
        assert_eq!(played.status, StatusCode::OK);
        assert!(form("token=t").is_none() && form("grant_type=refresh_token").is_none(), "it may be anything");
    }
}
