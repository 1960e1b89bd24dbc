//! The issuer that a provider is described by alone (RFC 8414, OpenID Connect Discovery): its
//! metadata, its keys, its ID tokens and its userinfo. One key signs for all of them, as long as
//! this process lives.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use axum::http::{Method, StatusCode, header};
use serde_json::{Map, Value, json};
use url::Url;

use super::{Asked, Played, token::Grant};
use crate::dev::dev_file::DevFile;
use jackfield_config::clock::Clock;
use jackfield_oauth2::jose::SigningKey;

const KEY_ID: &str = "dev";

/// How long an ID token is good, in seconds.
const LIFE: i64 = 300;

/// RFC 8414 section 3, and OpenID Connect Discovery 1.0 section 4.
const BEFORE_PATH: &str = "/.well-known/oauth-authorization-server";
const BEHIND_PATH: &str = "/.well-known/openid-configuration";

/// Claims of an ID token that say nothing of the person.
const OF_THE_TOKEN: [&str; 6] = ["iss", "aud", "azp", "exp", "iat", "nonce"];

/// The issuers that are played.
pub(super) struct Issuers {
    key: SigningKey,
    /// As the provider writes them; one that depends on a form is known once its metadata are asked
    /// for.
    known: Mutex<BTreeSet<String>>,
}

impl Issuers {
    pub(super) fn new() -> Self {
        Self { key: SigningKey::generate(), known: Mutex::default() }
    }

    pub(super) fn know(&self, issuers: impl IntoIterator<Item = String>) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).extend(issuers);
    }

    /// The issuer whose endpoint a URL is; where the provider has set endpoints of its own, the one
    /// on the same host.
    pub(super) fn of(&self, url: &Url) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let at = |issuer: &&String| endpoint_of(issuer, url).is_some();
        let beside = |issuer: &&String| Url::parse(issuer).is_ok_and(|issuer| issuer.origin() == url.origin());
        known.iter().find(at).or_else(|| known.iter().find(beside)).cloned()
    }

    /// What an issuer answers; `None` to what is asked of somebody else.
    pub(super) fn answer(&self, asked: &Asked, script: &DevFile) -> Option<Played> {
        let url = Url::parse(&asked.url).ok().filter(|_| asked.method == Method::GET)?;
        if let Some(base) = described_at(&url) {
            return Some(good(&metadata(&self.written(base))));
        }
        let issuer = self.of(&url)?;
        match endpoint_of(&issuer, &url)? {
            "jwks" => Some(good(&json!({"keys": [self.key.public_key(KEY_ID)]}))),
            "userinfo" if asked.headers.contains_key(header::AUTHORIZATION) => Some(good(&userinfo(script).into())),
            "userinfo" => Some(Played::json(StatusCode::UNAUTHORIZED, &json!({"error": "invalid_token"}))),
            _ => None,
        }
    }

    /// OpenID Connect Core 1.0 section 2, where the scope `openid` was asked for. What the author
    /// says stands over it.
    pub(super) fn id_token(&self, grant: &Grant, script: &DevFile) -> Option<String> {
        let issuer = grant.issuer.as_deref()?;
        grant.scope.as_deref()?.split([' ', ',']).find(|scope| *scope == "openid")?;
        let now = Clock::system().now().unix_timestamp();
        let mut claims = person();
        let of_the_token =
            json!({"iss": issuer, "aud": grant.client_id, "iat": now, "exp": now + LIFE, "nonce": grant.nonce});
        claims.extend(of_the_token.as_object().cloned().unwrap_or_default());
        claims.extend(script.id_token.clone());
        Some(self.key.sign(Some(KEY_ID), &claims.into()))
    }

    /// The issuer of these metadata exactly as the provider writes it (RFC 8414 section 3.3): a
    /// slash at its end is lost in the URL.
    fn written(&self, base: String) -> String {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|issuer| base_of(issuer).as_ref() == Some(&base)).cloned();
        found.unwrap_or_else(|| {
            known.insert(base.clone());
            base
        })
    }
}

fn good(body: &Value) -> Played {
    Played::json(StatusCode::OK, body)
}

/// What an issuer's endpoints begin with.
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

/// The base of the issuer whose metadata a URL is for.
fn described_at(url: &Url) -> Option<String> {
    let path = url.path();
    let of = path.strip_prefix(BEFORE_PATH).or_else(|| path.strip_suffix(BEHIND_PATH))?;
    Some(format!("{}{}", url.origin().ascii_serialization(), of.trim_end_matches('/')))
}

/// RFC 8414 section 2, and RFC 9207 section 3.
fn metadata(issuer: &str) -> Value {
    let base = base_of(issuer).unwrap_or_default();
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "revocation_endpoint": format!("{base}/revoke"),
        "userinfo_endpoint": format!("{base}/userinfo"),
        "jwks_uri": format!("{base}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "code_challenge_methods_supported": ["S256"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "authorization_response_iss_parameter_supported": true,
    })
}

/// Who has allowed it, unless the author says otherwise.
fn person() -> Map<String, Value> {
    let person = json!({"sub": "dev-user", "name": "Ada Lovelace", "email": "ada@example.com"});
    person.as_object().cloned().unwrap_or_default()
}

/// OpenID Connect Core 1.0 section 5.3: of the same subject as the ID token.
fn userinfo(script: &DevFile) -> Map<String, Value> {
    let mut claims = person();
    let of_the_person = script.id_token.iter().filter(|(name, _)| !OF_THE_TOKEN.contains(&name.as_str()));
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
        let asked = Asked { method: Method::GET, url: url.to_owned(), headers, body: Vec::new().into() };
        let played = issuers.answer(&asked, &script.parse().expect("it is right"))?;
        serde_json::from_slice(&played.body).ok()
    }

    #[test]
    fn an_issuer_is_described_at_both_places_and_named_as_it_is_written() {
        let issuers = Issuers::new();
        issuers.know(["https://a.example/t/1/".to_owned(), "https://b.example".to_owned()]);
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
        issuers.know(["https://a.example".to_owned()]);
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
        let told = answer(&issuers, "https://a.example/userinfo", shaped).expect("userinfo");
        assert_eq!(told, json!({"sub": "U7", "name": "Grace", "email": "ada@example.com"}));
        grant.scope = Some("read".to_owned());
        assert_eq!(issuers.id_token(&grant, &script), None, "nobody asks for it");
    }
}
