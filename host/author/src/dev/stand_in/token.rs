//! The token endpoint: exchanges the codes that the consent page gave out, once each and to whom
//! they were given. And the revocation endpoint.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use axum::http::{Method, StatusCode, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::{Asked, Played};

/// The codes that were given out and not used.
#[derive(Default)]
pub(super) struct Grants(Mutex<HashMap<String, Grant>>);

/// What a code was given for.
pub(super) struct Grant {
    pub(super) redirect_uri: String,
    pub(super) scope: Option<String>,
    /// RFC 7636: what the verifier has to hash to.
    pub(super) challenge: Option<String>,
    pub(super) client_id: String,
    /// OpenID Connect Core 1.0 section 3.1.2.1.
    pub(super) nonce: Option<String>,
    /// Who gives it, where the provider is described by an issuer.
    pub(super) issuer: Option<String>,
}

impl Grants {
    /// A code for a grant.
    pub(super) fn give(&self, grant: Grant) -> String {
        let code = random("code");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(code.clone(), grant);
        code
    }

    /// The answer to a token request; `None` to any other. The author's members stand over what is
    /// usual.
    pub(super) fn answer(
        &self,
        asked: &Asked,
        shaped: &Map<String, Value>,
        id_token: impl FnOnce(&Grant) -> Option<String>,
    ) -> Option<Played> {
        let given = parameters(asked);
        let grant_type = given.get("grant_type").filter(|_| asked.method == Method::POST)?;
        let (scope, id_token) = match grant_type.as_str() {
            "authorization_code" => match self.exchange(&given) {
                Ok(grant) => (grant.scope.clone(), id_token(&grant)),
                Err(why) => return Some(refused(why)),
            },
            // The other grants need no person, and so nobody to remember here.
            _ => (given.get("scope").cloned(), None),
        };
        let mut answer = usual(scope);
        answer.extend(id_token.map(|token| ("id_token".to_owned(), token.into())));
        answer.extend(shaped.clone());
        Some(Played::json(StatusCode::OK, &Value::Object(answer)))
    }

    /// RFC 6749 section 4.1.3 and RFC 7636 section 4.6. A code is used up by the first who shows
    /// it.
    fn exchange(&self, given: &HashMap<String, String>) -> Result<Grant, &'static str> {
        let code = given.get("code").ok_or("there is no code")?;
        let grant = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(code);
        let grant = grant.ok_or("the code was not given out here, or was used")?;
        if given.get("redirect_uri") != Some(&grant.redirect_uri) {
            return Err("the redirect_uri is another than the one that was asked with");
        }
        let hashed = given.get("code_verifier").map(|verifier| BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)));
        if grant.challenge.is_some() && grant.challenge != hashed {
            return Err("the code_verifier does not fit the code_challenge");
        }
        Ok(grant)
    }
}

/// RFC 7009 section 2.2: a token that is given up is taken, whatever it is; `None` to what is no
/// such request.
pub(super) fn revoked(asked: &Asked) -> Option<Played> {
    let given = parameters(asked);
    let is_one = asked.method == Method::POST && given.contains_key("token") && given.contains_key("token_type_hint");
    is_one.then(|| Played::json(StatusCode::OK, &json!({})))
}

fn usual(scope: Option<String>) -> Map<String, Value> {
    let answer = json!({
        "access_token": random("access"),
        "token_type": "Bearer",
        "expires_in": 3600,
        "refresh_token": random("refresh"),
        "scope": scope.unwrap_or_default(),
    });
    answer.as_object().cloned().unwrap_or_default()
}

fn refused(why: &str) -> Played {
    let body = json!({"error": "invalid_grant", "error_description": why});
    Played::json(StatusCode::BAD_REQUEST, &body)
}

fn random(what: &str) -> String {
    format!("dev-{what}-{:016x}", getrandom::u64().expect("the operating system has a random generator"))
}

/// The members of a form, or of a JSON object.
fn parameters(asked: &Asked) -> HashMap<String, String> {
    let content_type = asked.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(|value| value.starts_with("application/json")) {
        return form_urlencoded::parse(&asked.body).into_owned().collect();
    }
    let object: Map<String, Value> = serde_json::from_slice(&asked.body).unwrap_or_default();
    object.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACK: &str = "http://127.0.0.1:1/back";

    fn asked(body: String, content_type: &str) -> Asked {
        let headers = [(header::CONTENT_TYPE, content_type.parse().expect("a header value"))];
        let url = "https://acme.example/token".to_owned();
        Asked { method: Method::POST, url, headers: headers.into_iter().collect(), body: body.into() }
    }

    fn answer(grants: &Grants, parameters: &[(&str, &str)], shaped: &Map<String, Value>) -> (u16, Value) {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let asked = asked(body, "application/x-www-form-urlencoded");
        let played = grants.answer(&asked, shaped, |grant| grant.nonce.clone()).expect("a token request");
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
        let grants = Grants::default();
        let code = grants.give(grant(None));
        let exchange = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK)];
        let shaped = json!({"access_token": "t0ken", "ok": true}).as_object().cloned().expect("an object");
        let (status, token) = answer(&grants, &exchange, &shaped);
        assert_eq!((status, &token["access_token"], &token["ok"]), (200, &json!("t0ken"), &json!(true)));
        assert_eq!((&token["scope"], &token["token_type"]), (&json!("read"), &json!("Bearer")));
        assert_eq!(token["id_token"], "n", "made of what the code was given for");
        let (status, error) = answer(&grants, &exchange, &shaped);
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
            let grants = Grants::default();
            let code = grants.give(grant(Some(challenge)));
            let exchange = [
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", back),
                ("code_verifier", verifier),
            ];
            assert_eq!(answer(&grants, &exchange, &Map::new()).0, status, "{back} {verifier}");
        }
    }

    #[test]
    fn a_token_request_may_be_json_and_what_is_none_is_not_answered() {
        let grants = Grants::default();
        let body = json!({"grant_type": "refresh_token", "refresh_token": "r"}).to_string();
        assert!(grants.answer(&asked(body, "application/json"), &Map::new(), |_| None).is_some());
        assert!(grants.answer(&asked("a=b".into(), "text/plain"), &Map::new(), |_| None).is_none());
    }

    #[test]
    fn a_token_that_is_given_up_is_taken() {
        let form = |text: &str| revoked(&asked(text.into(), "application/x-www-form-urlencoded"));
        let played = form("token=t&token_type_hint=access_token").expect("a revocation");
        assert_eq!(played.status, StatusCode::OK);
        assert!(form("token=t").is_none() && form("grant_type=refresh_token").is_none(), "it may be anything");
    }
}
