//! The issuers that providers name instead of endpoints: their metadata (RFC 8414, OpenID Connect
//! Discovery), keys, ID tokens and userinfo. One key signs for all of them.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode, header};
use jackfield_config::clock::Clock;
use jackfield_stand_in::{Endpoints, IssuerKey, OAUTH_METADATA, OPENID_CONFIGURATION, id_token_claims};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    grant::Grant,
    message::{PlayedResponse, ServiceRequest},
};
use crate::dev::dev_file::DevFile;

/// Claims of an ID token that say nothing of the person.
const TOKEN_CLAIMS: [&str; 6] = ["iss", "aud", "azp", "exp", "iat", "nonce"];

/// The issuers that are played.
pub(super) struct Issuers {
    key: IssuerKey,
    /// As the provider writes them. An issuer that depends on a form is known once its metadata are
    /// requested.
    known: Mutex<BTreeSet<String>>,
}

impl Issuers {
    pub(super) fn new() -> Self {
        Self { key: IssuerKey::generate("dev"), known: Mutex::default() }
    }

    pub(super) fn add(&self, issuers: impl IntoIterator<Item = String>) {
        self.known.lock().extend(issuers);
    }

    /// The issuer whose endpoint a URL is. If the provider sets endpoints of its own, the issuer on
    /// the same host.
    pub(super) fn of(&self, url: &Url) -> Option<String> {
        let known = self.known.lock();
        let at = |issuer: &&String| endpoint_of(issuer, url).is_some();
        let beside = |issuer: &&String| Url::parse(issuer).is_ok_and(|issuer| issuer.origin() == url.origin());
        known.iter().find(at).or_else(|| known.iter().find(beside)).cloned()
    }

    /// The answer of an issuer; `None` to a request to another URL.
    pub(super) fn answer(&self, request: &ServiceRequest, script: &DevFile) -> Option<PlayedResponse> {
        let url = Url::parse(&request.url).ok().filter(|_| request.method == Method::GET)?;
        if let Some(base) = base_of_metadata(&url) {
            return Some(ok(&metadata(&self.as_written(base))));
        }
        let issuer = self.of(&url)?;
        match endpoint_of(&issuer, &url)? {
            "jwks" => Some(ok(&self.key.jwks())),
            "userinfo" if request.headers.contains_key(header::AUTHORIZATION) => Some(ok(&userinfo(script).into())),
            "userinfo" => Some(PlayedResponse::json(StatusCode::UNAUTHORIZED, &json!({"error": "invalid_token"}))),
            _ => None,
        }
    }

    /// OpenID Connect Core 1.0 section 2, if the scope `openid` was requested. The author's claims
    /// replace ours.
    pub(super) fn id_token(&self, grant: &Grant, script: &DevFile) -> Option<String> {
        let issuer = grant.issuer.as_deref()?;
        grant.scope.as_deref()?.split([' ', ',']).find(|scope| *scope == "openid")?;
        let now = Clock::system().now().unix_timestamp();
        let mut claims = person();
        claims.extend(id_token_claims(issuer, &grant.client_id, grant.nonce.as_deref(), now));
        claims.extend(script.id_token.clone());
        Some(self.key.sign(&claims.into()))
    }

    /// The issuer of these metadata exactly as the provider writes it (RFC 8414 section 3.3): a
    /// slash at its end is lost in the URL.
    fn as_written(&self, base: String) -> String {
        let mut known = self.known.lock();
        let found = known.iter().find(|issuer| base_of(issuer).as_ref() == Some(&base)).cloned();
        found.unwrap_or_else(|| {
            known.insert(base.clone());
            base
        })
    }
}

fn ok(body: &Value) -> PlayedResponse {
    PlayedResponse::json(StatusCode::OK, body)
}

/// The beginning of an issuer's endpoints.
fn base_of(issuer: &str) -> Option<String> {
    let url = Url::parse(issuer).ok()?;
    Some(format!("{}{}", url.origin().ascii_serialization(), url.path().trim_end_matches('/')))
}

/// Which endpoint of an issuer a URL is.
fn endpoint_of<'a>(issuer: &str, url: &'a Url) -> Option<&'a str> {
    let base = Url::parse(&base_of(issuer)?).ok()?;
    let path = url.path().strip_prefix(base.path().trim_end_matches('/'))?.strip_prefix('/')?;
    let is_one = ["authorize", "token", "revoke", "userinfo", "jwks"].contains(&path);
    (is_one && base.origin() == url.origin()).then_some(path)
}

/// The base of the issuer whose metadata are at a URL.
fn base_of_metadata(url: &Url) -> Option<String> {
    let path = url.path();
    let of = path.strip_prefix(OAUTH_METADATA).or_else(|| path.strip_suffix(OPENID_CONFIGURATION))?;
    Some(format!("{}{}", url.origin().ascii_serialization(), of.trim_end_matches('/')))
}

/// RFC 8414 section 2, and RFC 9207 section 3.
fn metadata(issuer: &str) -> Value {
    let base = base_of(issuer).unwrap_or_default();
    let endpoints = Endpoints {
        authorization: format!("{base}/authorize"),
        token: format!("{base}/token"),
        userinfo: format!("{base}/userinfo"),
        jwks: format!("{base}/jwks"),
    };
    let more = json!({
        "revocation_endpoint": format!("{base}/revoke"),
        "subject_types_supported": ["public"],
        "code_challenge_methods_supported": ["S256"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "authorization_response_iss_parameter_supported": true,
    });
    let mut metadata = endpoints.metadata(issuer);
    metadata.extend(more.as_object().cloned().unwrap_or_default());
    metadata.into()
}

/// The person who has allowed it, unless the author says otherwise.
fn person() -> Map<String, Value> {
    let person = json!({"sub": "dev-user", "name": "Ada Lovelace", "email": "ada@example.com"});
    person.as_object().cloned().unwrap_or_default()
}

/// OpenID Connect Core 1.0 section 5.3: of the same subject as the ID token.
fn userinfo(script: &DevFile) -> Map<String, Value> {
    let mut claims = person();
    let of_the_person = script.id_token.iter().filter(|(name, _)| !TOKEN_CLAIMS.contains(&name.as_str()));
    claims.extend(of_the_person.map(|(name, value)| (name.clone(), value.clone())));
    claims.extend(script.userinfo.clone());
    claims
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;
    use jackfield_oauth2::jose::{Jws, KeySet};

    fn answer(issuers: &Issuers, url: &str, script: &str) -> Option<Value> {
        let headers: HeaderMap =
            [(header::AUTHORIZATION, "Bearer t".parse().expect("a header value"))].into_iter().collect();
        let request = ServiceRequest { method: Method::GET, url: url.to_owned(), headers, body: Vec::new().into() };
        let played = issuers.answer(&request, &script.parse().expect("it is right"))?;
        serde_json::from_slice(&played.body).ok()
    }

    #[test]
    fn an_issuer_has_metadata_at_both_places_and_is_named_as_it_is_written() {
        let issuers = Issuers::new();
        issuers.add(["https://a.example/t/1/".to_owned(), "https://b.example".to_owned()]);
        for (url, issuer) in [
            ("https://a.example/.well-known/oauth-authorization-server/t/1", "https://a.example/t/1/"),
            ("https://a.example/t/1/.well-known/openid-configuration", "https://a.example/t/1/"),
            ("https://b.example/.well-known/openid-configuration", "https://b.example"),
            ("https://named-in-a-form.example/.well-known/openid-configuration", "https://named-in-a-form.example"),
        ] {
            let found = answer(&issuers, url, "").expect("metadata");
            let jwks = format!("{}/jwks", issuer.trim_end_matches('/'));
            assert_eq!((&found["issuer"], &found["jwks_uri"]), (&json!(issuer), &json!(jwks)), "{url}");
        }
        for other in ["https://a.example/t/1/me", "https://a.example/jwks", "https://c.example/jwks", "no URL"] {
            assert_eq!(answer(&issuers, other, ""), None, "{other}");
        }
    }

    #[test]
    fn an_id_token_is_signed_by_the_announced_key_and_shaped_by_the_author() {
        let issuers = Issuers::new();
        issuers.add(["https://a.example".to_owned()]);
        let shaped = "[id-token]\nsub = \"U7\"\naud = \"other\"\n[userinfo]\nname = \"Grace\"";
        let script: DevFile = shaped.parse().expect("it is right");
        let mut grant = Grant {
            redirect_uri: String::new(),
            scope: Some("openid read".to_owned()),
            challenge: None,
            client_id: "c".to_owned(),
            nonce: Some("n".to_owned()),
            issuer: issuers.of(&Url::parse("https://a.example/authorize?x").expect("a URL")),
        };
        let token = issuers.id_token(&grant, &script).expect("it is asked for");
        let keys =
            KeySet::parse(&answer(&issuers, "https://a.example/jwks", "").expect("keys")).expect("a set of keys");
        let claims = Jws::parse(&token).expect("it is signed").verify(&keys).expect("by that key");
        let of = |name: &str| claims[name].clone();
        assert_eq!((of("iss"), of("nonce"), of("sub")), (json!("https://a.example"), json!("n"), json!("U7")));
        assert_eq!((of("aud"), of("name")), (json!("other"), json!("Ada Lovelace")), "what the author says wins");
        let claims = answer(&issuers, "https://a.example/userinfo", shaped).expect("userinfo");
        assert_eq!(claims, json!({"sub": "U7", "name": "Grace", "email": "ada@example.com"}));
        grant.scope = Some("read".to_owned());
        assert_eq!(issuers.id_token(&grant, &script), None, "nobody asks for it");
    }
}
