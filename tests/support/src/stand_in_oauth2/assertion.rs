//! Clients that authenticate with a signed assertion, checked strictly (RFC 7523 section 3).

use jackfield_oauth2::jose::{Jws, KeySet, SigningKey};
use jackfield_stand_in::Parameters;
use serde_json::{Value, json};

use super::{
    client::CLIENT,
    issuer_identifier,
    request::{Rejection, ServiceRequest, expect_equal},
    shared::Shared,
};
use crate::stand_in::locked;

/// The private key of the client, PEM.
pub const CLIENT_KEY: &str = include_str!("../../../../plugins/github-app/src/test-key.pem");
/// Its id.
pub const CLIENT_KEY_ID: &str = "client-key-1";

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(super) fn check(shared: &Shared, request: &ServiceRequest<'_>, given: &mut Parameters) -> Result<(), Rejection> {
    expect_equal("client_id", &given.take("client_id")?, CLIENT)?;
    expect_equal("client_assertion_type", &given.take("client_assertion_type")?, TYPE)?;
    let assertion = given.take("client_assertion")?;
    let claims = Jws::parse(&assertion).and_then(|jws| jws.verify(&registered()));
    let claims = claims.map_err(|error| format!("the assertion: {error}"))?;
    for name in ["iss", "sub"] {
        expect_equal(name, claims.get(name).and_then(Value::as_str).unwrap_or_default(), CLIENT)?;
    }
    let audience = match request.profile.issuer {
        // The issuer as a string, not in a list (draft-ietf-oauth-rfc7523bis).
        Some(_) => issuer_identifier::id(shared, request),
        None => shared.url(request.id, &request.profile.token),
    };
    expect_equal("aud", claims.get("aud").and_then(Value::as_str).unwrap_or("no text"), &audience)?;
    check_times(&claims)?;
    let id = claims.get("jti").and_then(Value::as_str).unwrap_or_default();
    let is_fresh = id.len() >= 22 && locked(&shared.issuing.assertions).insert(id.to_owned());
    if is_fresh { Ok(()) } else { Err("jti is short, or was used".to_owned()) }
}

fn check_times(claims: &serde_json::Map<String, Value>) -> Result<(), Rejection> {
    let at = |name: &str| claims.get(name).and_then(Value::as_i64).ok_or_else(|| format!("{name} is missing"));
    let (now, issued, end) = (time::OffsetDateTime::now_utc().unix_timestamp(), at("iat")?, at("exp")?);
    let is_short = (now - 5..=now + 5).contains(&issued) && (now..=issued + 60).contains(&end);
    if is_short { Ok(()) } else { Err(format!("from {issued} to {end} is not short, or not now")) }
}

fn registered() -> KeySet {
    let key = SigningKey::from_pem(CLIENT_KEY).expect("it is a key");
    KeySet::parse(&json!({"keys": [key.public_key(CLIENT_KEY_ID)]})).expect("a set")
}
