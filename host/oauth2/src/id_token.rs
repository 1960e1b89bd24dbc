//! ID tokens: who has logged in, according to the issuer (OpenID Connect Core 1.0 section 3.1.3.7).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jackfield_plugin_abi::envelope::State;
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;
use time::OffsetDateTime;

use crate::jose::{Algorithm, JoseError};

/// Seconds by which the issuer's clock and ours may differ.
const CLOCK_SKEW: i64 = 60;
/// Most seconds since the token was issued: as long as a setup may take.
const MAX_AGE: i64 = 15 * 60;
/// Longest subject, in bytes (OpenID Connect Core 1.0 section 2).
const LONGEST_SUBJECT: usize = 255;

/// Why an ID token is invalid. Of its claims it holds only issuer and audience.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum IdTokenError {
    /// It was requested and did not come (section 3.1.3.3).
    #[error("the scope `openid` was requested, and the token answer has no id_token")]
    Missing,
    /// The issuer announces no keys.
    #[error("the issuer's metadata have no jwks_uri")]
    NoKeys,
    /// It is not signed, or not by the issuer.
    #[error(transparent)]
    Jose(#[from] JoseError),
    /// The issuer does not announce the algorithm of its signature.
    #[error("it is signed with {0}, which the issuer's metadata do not announce")]
    Algorithm(&'static str),
    /// A claim is missing, or of the wrong type.
    #[error("its claim `{0}` is missing or malformed")]
    Claim(&'static str),
    /// It is from another issuer.
    #[error("its issuer is `{}` and not the expected one", .0.escape_debug())]
    Issuer(String),
    /// It is for another client.
    #[error("it is not for this client but for `{}`", .0.escape_debug())]
    Audience(String),
    /// It has expired.
    #[error("it has expired")]
    Expired,
    /// It was issued in the future, or too long ago.
    #[error("it was issued {0} seconds ago")]
    Issued(i64),
    /// It belongs to another setup.
    #[error("its nonce is not that of this setup")]
    Nonce,
    /// It belongs to another access token.
    #[error("it belongs to another access token")]
    AccessToken,
}

/// What the claims must match.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: Option<&'a str>,
    pub(super) access_token: Option<&'a str>,
    pub(super) now: OffsetDateTime,
}

/// Checks the claims of a token whose signature is verified, in the order of OpenID Connect Core
/// 1.0 section 3.1.3.7.
pub(super) fn check_claims(claims: &State, algorithm: Algorithm, expected: &Expected<'_>) -> Result<(), IdTokenError> {
    let issuer = text(claims, "iss")?;
    if issuer != expected.issuer {
        return Err(IdTokenError::Issuer(issuer.to_owned()));
    }
    check_audience(claims, expected.client_id)?;
    check_times(claims, expected.now.unix_timestamp())?;
    if expected.nonce.is_none() || claims.get("nonce").and_then(Value::as_str) != expected.nonce {
        return Err(IdTokenError::Nonce);
    }
    let subject = text(claims, "sub")?;
    if subject.is_empty() || subject.len() > LONGEST_SUBJECT {
        return Err(IdTokenError::Claim("sub"));
    }
    check_access_token(claims, algorithm, expected.access_token)
}

/// Points 3 to 5: the client is an audience. If there are several, it must also be the authorized
/// party.
fn check_audience(claims: &State, client_id: &str) -> Result<(), IdTokenError> {
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => return Err(IdTokenError::Claim("aud")),
    };
    if !audiences.contains(&client_id) {
        return Err(IdTokenError::Audience(audiences.join(" ")));
    }
    match claims.get("azp") {
        None if audiences.len() > 1 => Err(IdTokenError::Claim("azp")),
        None => Ok(()),
        Some(party) if party == client_id => Ok(()),
        Some(_) => Err(IdTokenError::Audience(text(claims, "azp")?.to_owned())),
    }
}

/// Points 9 and 10.
fn check_times(claims: &State, now: i64) -> Result<(), IdTokenError> {
    if seconds(claims, "exp")? + CLOCK_SKEW <= now {
        return Err(IdTokenError::Expired);
    }
    let age = now - seconds(claims, "iat")?;
    if (-CLOCK_SKEW..=MAX_AGE + CLOCK_SKEW).contains(&age) { Ok(()) } else { Err(IdTokenError::Issued(age)) }
}

/// Section 3.1.3.8: a hash of the access token must be that of the token beside it. For Ed25519
/// there is no agreed hash function.
fn check_access_token(claims: &State, algorithm: Algorithm, token: Option<&str>) -> Result<(), IdTokenError> {
    let Some(hash) = claims.get("at_hash").filter(|_| algorithm != Algorithm::EdDsa) else { return Ok(()) };
    let digest = Sha256::digest(token.unwrap_or_default());
    let is_its = token.is_some() && *hash == BASE64_URL_SAFE_NO_PAD.encode(&digest[..digest.len() / 2]);
    if is_its { Ok(()) } else { Err(IdTokenError::AccessToken) }
}

fn text<'a>(claims: &'a State, name: &'static str) -> Result<&'a str, IdTokenError> {
    claims.get(name).and_then(Value::as_str).ok_or(IdTokenError::Claim(name))
}

/// RFC 7519 section 2, `NumericDate`: it may have a fraction.
fn seconds(claims: &State, name: &'static str) -> Result<i64, IdTokenError> {
    let number = claims.get(name).ok_or(IdTokenError::Claim(name))?;
    let whole = number.as_i64();
    #[expect(clippy::cast_possible_truncation, reason = "the filter keeps only what fits")]
    let truncated = || number.as_f64().filter(|seconds| seconds.abs() < 9e15).map(|seconds| seconds as i64);
    let seconds = whole.or_else(truncated).filter(|seconds| seconds.abs() < 1 << 53);
    seconds.ok_or(IdTokenError::Claim(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn claims() -> Value {
        json!({"iss": "https://i", "aud": "client", "sub": "s", "exp": NOW + 300, "iat": NOW - 1, "nonce": "n"})
    }

    fn judged(claims: &Value) -> Result<(), IdTokenError> {
        let expected = Expected {
            issuer: "https://i",
            client_id: "client",
            nonce: Some("n"),
            access_token: Some("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            now: OffsetDateTime::from_unix_timestamp(NOW).expect("a time"),
        };
        check_claims(claims.as_object().expect("an object"), Algorithm::Rs256, &expected)
    }

    #[test]
    fn a_token_that_matches_is_accepted() {
        // OpenID Connect Core 1.0 section 3.1.3.7; the hash is that of section A.3's example.
        let more = [
            ("aud", json!(["client"])),
            ("azp", json!("client")),
            ("at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ")),
            ("exp", json!(NOW - 30)),
            ("iat", json!(NOW as f64 + 30.5)),
        ];
        assert_eq!(judged(&claims()), Ok(()));
        for (name, value) in more {
            let mut claims = claims();
            claims[name] = value;
            assert_eq!(judged(&claims), Ok(()), "{name}");
        }
    }

    #[test]
    fn each_claim_that_does_not_match_is_refused_by_name() {
        // OpenID Connect Core 1.0 section 3.1.3.7, points 2 to 11, and section 3.1.3.8.
        let cases = [
            ("iss", json!("https://i/"), IdTokenError::Issuer("https://i/".into())),
            ("iss", json!(null), IdTokenError::Claim("iss")),
            ("aud", json!("other"), IdTokenError::Audience("other".into())),
            ("aud", json!(["other", "another"]), IdTokenError::Audience("other another".into())),
            ("aud", json!({}), IdTokenError::Claim("aud")),
            ("aud", json!(["client", "other"]), IdTokenError::Claim("azp")),
            ("azp", json!("other"), IdTokenError::Audience("other".into())),
            ("exp", json!(NOW - 60), IdTokenError::Expired),
            ("exp", json!("tomorrow"), IdTokenError::Claim("exp")),
            ("exp", json!(1e300), IdTokenError::Claim("exp")),
            ("iat", json!(NOW + 61), IdTokenError::Issued(-61)),
            ("iat", json!(NOW - 961), IdTokenError::Issued(961)),
            ("iat", json!(null), IdTokenError::Claim("iat")),
            ("nonce", json!("m"), IdTokenError::Nonce),
            ("nonce", json!(null), IdTokenError::Nonce),
            ("sub", json!(""), IdTokenError::Claim("sub")),
            ("sub", json!("x".repeat(256)), IdTokenError::Claim("sub")),
            ("at_hash", json!("AAAA"), IdTokenError::AccessToken),
        ];
        for (name, value, error) in cases {
            let mut claims = claims();
            claims[name] = value.clone();
            assert_eq!(judged(&claims), Err(error), "{name}: {value}");
        }
    }

    #[test]
    fn a_token_without_a_nonce_of_ours_is_never_accepted() {
        let expected = Expected {
            issuer: "https://i",
            client_id: "client",
            nonce: None,
            access_token: None,
            now: OffsetDateTime::from_unix_timestamp(NOW).expect("a time"),
        };
        let mut claims = claims();
        claims.as_object_mut().expect("an object").remove("nonce");
        let judged = check_claims(claims.as_object().expect("an object"), Algorithm::Rs256, &expected);
        assert_eq!(judged, Err(IdTokenError::Nonce), "two that are missing are not equal");
    }
}
