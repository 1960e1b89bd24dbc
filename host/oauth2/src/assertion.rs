//! The client's assertion: a signed statement that authenticates it without a shared secret (RFC
//! 7523 sections 2.2 and 3, `private_key_jwt` of OpenID Connect Core 1.0 section 9).

use jackfield_plugin_abi::envelope::OAuth2;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::random::random_text;
use crate::jose::{InvalidKey, SigningKey};

/// The value of `client_assertion_type` (RFC 7523 section 2.2).
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Seconds until an assertion expires: enough for one request and for clocks that differ a little.
const LIFETIME: i64 = 60;

/// A fresh assertion, for one request.
pub(super) fn assertion(oauth2: &OAuth2, now: OffsetDateTime) -> Result<String, InvalidKey> {
    let key = SigningKey::from_pem(oauth2.private_key.expose())?;
    Ok(key.sign(oauth2.key_id.as_deref(), &claims(oauth2, now)))
}

/// RFC 7523 section 3.
///
/// The audience is the issuer alone, if it is known. A hostile server could name another server's
/// token endpoint in its metadata, and would get an assertion that is valid there
/// (draft-ietf-oauth-rfc7523bis, "audience injection"). Without an issuer no metadata are read
/// either, so the endpoint's URL is safe, as section 3 says.
fn claims(oauth2: &OAuth2, now: OffsetDateTime) -> Value {
    let now = now.unix_timestamp();
    let audience = oauth2.issuer.as_ref().filter(|issuer| !issuer.is_empty()).unwrap_or(&oauth2.token_url);
    json!({
        "iss": oauth2.client_id,
        "sub": oauth2.client_id,
        "aud": audience,
        "jti": random_text(),
        "iat": now,
        "exp": now + LIFETIME,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims_at_100(oauth2: &OAuth2) -> Value {
        claims(oauth2, OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(100))
    }

    #[test]
    fn an_assertion_names_the_client_twice_expires_soon_and_is_unique() {
        // RFC 7523 section 3, points 1 to 7; OpenID Connect Core 1.0 section 9.
        let oauth2 = OAuth2::new("https://a/", "https://a/token").client("id", "");
        let (first, second) = (claims_at_100(&oauth2), claims_at_100(&oauth2));
        assert_eq!((&first["iss"], &first["sub"]), (&json!("id"), &json!("id")));
        assert_eq!((&first["iat"], &first["exp"]), (&json!(100), &json!(160)));
        assert_ne!(first["jti"], second["jti"]);
    }

    #[test]
    fn the_audience_is_the_issuer_alone_if_it_is_known() {
        let oauth2 = OAuth2::new("https://a/", "https://a/token");
        assert_eq!(claims_at_100(&oauth2)["aud"], "https://a/token", "RFC 7523 section 3, point 3");
        assert_eq!(
            claims_at_100(&oauth2.clone().issuer(""))["aud"],
            "https://a/token",
            "no issuer is named by an empty text"
        );
        assert_eq!(claims_at_100(&oauth2.issuer("https://a"))["aud"], "https://a", "draft-ietf-oauth-rfc7523bis");
    }
}
