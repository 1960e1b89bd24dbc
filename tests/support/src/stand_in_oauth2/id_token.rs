//! ID tokens as an issuer signs them and as an attacker forges them (OpenID Connect Core 1.0
//! section 2).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jackfield_stand_in::{IssuerKey, access_token_hash, id_token_claims};
use ring::hmac;
use serde_json::{Value, json};

use super::{
    client::{CLIENT, SECRET},
    issuer::WrongIdToken,
    issuer_identifier,
    request::ServiceRequest,
    shared::Shared,
};
use crate::stand_in::locked;

/// The user who logs in everywhere.
pub const SUBJECT: &str = "ada-1";

/// The ID token beside an access token.
pub(super) fn issued(
    shared: &Shared,
    request: &ServiceRequest<'_>,
    nonce: Option<&str>,
    access_token: &str,
) -> Option<String> {
    let wrong = request.profile.issuer.as_ref()?.id_token;
    let claims = claims(shared, request, nonce, access_token, wrong);
    let key = &*locked(&shared.issuing.key);
    Some(match wrong {
        Some(WrongIdToken::Missing) => return None,
        Some(WrongIdToken::OtherKey) => IssuerKey::generate(key.id()).sign(&claims),
        Some(WrongIdToken::UnknownKey) => key.sign_as("nobodys", &claims),
        Some(WrongIdToken::Unsigned) => format!("{}.", unsigned("none", &claims)),
        Some(WrongIdToken::SharedSecret) => with_secret(SECRET, &claims),
        Some(WrongIdToken::PublicKeyAsSecret) => with_secret(&key.public().to_string(), &claims),
        Some(WrongIdToken::Changed) => {
            let signed = key.sign(&json!({}));
            let (head, signature) = (signed.split('.').next()?, signed.rsplit('.').next()?);
            format!("{head}.{}.{signature}", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()))
        }
        _ => key.sign(&claims),
    })
}

fn with_secret(secret: &str, claims: &Value) -> String {
    let signed = unsigned("HS256", claims);
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn unsigned(algorithm: &str, claims: &Value) -> String {
    let header = json!({"alg": algorithm});
    format!(
        "{}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(header.to_string()),
        BASE64_URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

fn claims(
    shared: &Shared,
    request: &ServiceRequest<'_>,
    nonce: Option<&str>,
    access_token: &str,
    wrong: Option<WrongIdToken>,
) -> Value {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let mut claims = Value::Object(id_token_claims(&issuer_identifier::id(shared, request), CLIENT, nonce, now));
    claims["at_hash"] = access_token_hash(access_token).into();
    claims["sub"] = SUBJECT.into();
    claims["name"] = "Ada".into();
    match wrong {
        Some(WrongIdToken::OtherIssuer) => claims["iss"] = "https://another.example".into(),
        Some(WrongIdToken::OtherAudience) => claims["aud"] = "another client".into(),
        Some(WrongIdToken::Expired) => claims["exp"] = (now - 3600).into(),
        Some(WrongIdToken::OtherNonce) => claims["nonce"] = "another".into(),
        Some(WrongIdToken::NoNonce) => claims["nonce"] = Value::Null,
        Some(WrongIdToken::OtherAccessToken) => claims["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA".into(),
        _ => {}
    }
    claims
}
