//! A service as an issuer: its metadata (RFC 8414, OpenID Connect Discovery 1.0), keys, userinfo,
//! and the `iss` of its responses (RFC 9207). Each can be wrong in one way.

use std::{
    collections::HashSet,
    sync::{Mutex, atomic::AtomicBool, atomic::Ordering},
};

use axum::{
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use jackfield_stand_in::{Endpoints, IssuerKey, OPENID_CONFIGURATION};
use serde_json::{Value, json};
use url::Url;

use super::{Rejection, ServiceRequest, Shared, id_token::WrongIdToken};
use crate::stand_in::{TokenState, locked};

/// A service as an issuer. Its identifier is `https://{id}.example/issuer`.
#[derive(Clone, Debug, Default)]
pub struct Issuer {
    /// Where its metadata are.
    pub place: Place,
    /// Whether it announces that its responses have an `iss` (RFC 9207 section 3).
    pub announces_iss: bool,
    /// The `iss` of its responses.
    pub iss: Iss,
    /// What is wrong with its metadata.
    pub metadata: Metadata,
    /// What is wrong with its ID tokens.
    pub id_token: Option<WrongIdToken>,
    /// Whether its userinfo is of another user.
    pub other_userinfo: bool,
    /// Which of its documents (`metadata`, `keys`, `userinfo`) is a redirect, and where to.
    pub redirects: Option<(&'static str, String)>,
    /// The client authentication methods that it announces; when empty, it announces none.
    pub authentication: Vec<&'static str>,
}

/// Where the metadata are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// At the URL of RFC 8414 section 3.1.
    #[default]
    OAuth,
    /// At the URL of OpenID Connect Discovery 1.0 section 4.1, and not at the other.
    OpenId,
    /// At both. The first leaves out what only OpenID Connect has.
    Both,
    /// Nowhere.
    Nowhere,
}

/// The `iss` of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Iss {
    /// Nothing.
    #[default]
    Nothing,
    /// Its own identifier.
    Own,
    /// Another issuer's.
    Another,
}

/// What is wrong with metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metadata {
    /// Nothing.
    #[default]
    Right,
    /// They name another issuer.
    AnotherIssuer,
    /// The token endpoint is plain HTTP, at a host that is not allowed.
    PlainHttp,
    /// There is no token endpoint.
    NoTokenEndpoint,
    /// The keys are at a host inside a private network.
    PrivateKeys,
    /// There are no keys.
    NoKeys,
}

/// What all issuers of a stand-in share while it runs.
pub(super) struct Issuing {
    pub(super) key: Mutex<IssuerKey>,
    pub(super) assertions: Mutex<HashSet<String>>,
    is_down: AtomicBool,
}

impl Default for Issuing {
    fn default() -> Self {
        Self {
            key: Mutex::new(IssuerKey::generate("key-0")),
            assertions: Mutex::default(),
            is_down: AtomicBool::new(false),
        }
    }
}

impl Issuing {
    /// Signs with another key from now on, and publishes only that one.
    pub(super) fn rotate(&self) {
        let mut key = locked(&self.key);
        let number = key.id().trim_start_matches("key-").parse::<u32>().unwrap_or_default();
        *key = IssuerKey::generate(&format!("key-{}", number + 1));
    }

    pub(super) fn go(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }
}

/// The identifier that the host knows.
pub(super) fn id(shared: &Shared, request: &ServiceRequest<'_>) -> String {
    shared.url(request.id, &format!("https://{}.example/issuer", request.id))
}

/// Adds `iss` to a response of the authorization endpoint.
pub(super) fn say_whose(shared: &Shared, request: &ServiceRequest<'_>, back: &mut Url) {
    let iss = match request.profile.issuer.as_ref().map(|issuer| issuer.iss) {
        None | Some(Iss::Nothing) => return,
        Some(Iss::Own) => id(shared, request),
        Some(Iss::Another) => "https://another.example".to_owned(),
    };
    back.query_pairs_mut().append_pair("iss", &iss);
}

/// The response at an URL of the issuer; `None` at any other.
pub(super) fn answer(shared: &Shared, request: &ServiceRequest<'_>, path: &str) -> Option<Result<Response, Rejection>> {
    let issuer = request.profile.issuer.as_ref().filter(|_| request.method == Method::GET)?;
    let url = |what: &str| format!("https://{}.example/{what}", request.id);
    let inserted = path.starts_with(OAUTH) && matches!(issuer.place, Place::OAuth | Place::Both);
    let appended = request.url == format!("{}{OPENID_CONFIGURATION}", url("issuer"))
        && matches!(issuer.place, Place::OpenId | Place::Both);
    let is_down = shared.issuing.is_down.load(Ordering::Relaxed);
    let document = if inserted || appended { "metadata" } else { request.url.rsplit('/').next().unwrap_or_default() };
    if let Some((_, to)) = issuer.redirects.as_ref().filter(|(of, _)| *of == document) {
        return Some(Ok((StatusCode::FOUND, [(header::LOCATION, to.clone())]).into_response()));
    }
    let answer = if inserted || appended {
        metadata(shared, request, issuer, appended)
    } else if request.url == url("keys") {
        locked(&shared.issuing.key).jwks()
    } else if request.url == url("userinfo") {
        return Some(userinfo(shared, request, issuer));
    } else if path.contains(".well-known/") {
        return Some(Ok(StatusCode::NOT_FOUND.into_response()));
    } else {
        return None;
    };
    Some(Ok(if is_down { StatusCode::SERVICE_UNAVAILABLE.into_response() } else { super::json(&answer.to_string()) }))
}

/// The well-known part before an issuer's path.
pub(super) const OAUTH: &str = ".well-known/oauth-authorization-server/";

fn metadata(shared: &Shared, request: &ServiceRequest<'_>, issuer: &Issuer, is_openid: bool) -> Value {
    let at = |what: &str| shared.url(request.id, &format!("https://{}.example/{what}", request.id));
    let endpoints =
        Endpoints { authorization: at("authorize"), token: at("token"), userinfo: at("userinfo"), jwks: at("keys") };
    let mut metadata = Value::Object(endpoints.metadata(&id(shared, request)));
    if issuer.announces_iss {
        metadata["authorization_response_iss_parameter_supported"] = true.into();
    }
    if !issuer.authentication.is_empty() {
        metadata["token_endpoint_auth_methods_supported"] = json!(issuer.authentication);
    }
    let without = |metadata: &mut Value, name| metadata.as_object_mut().and_then(|object| object.remove(name));
    if is_openid {
        metadata["id_token_signing_alg_values_supported"] = json!(["ES256"]);
    } else if issuer.place == Place::Both {
        for name in ["userinfo_endpoint", "jwks_uri"] {
            without(&mut metadata, name);
        }
    }
    match issuer.metadata {
        Metadata::Right => {}
        Metadata::AnotherIssuer => metadata["issuer"] = "https://another.example".into(),
        Metadata::PlainHttp => metadata["token_endpoint"] = "http://192.0.2.1/token".into(),
        Metadata::PrivateKeys => metadata["jwks_uri"] = "https://192.168.0.1/keys".into(),
        Metadata::NoTokenEndpoint => drop(without(&mut metadata, "token_endpoint")),
        Metadata::NoKeys => drop(without(&mut metadata, "jwks_uri")),
    }
    metadata
}

fn userinfo(shared: &Shared, request: &ServiceRequest<'_>, issuer: &Issuer) -> Result<Response, Rejection> {
    let header = request.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = header.strip_prefix("Bearer ").ok_or("no bearer token")?;
    let is_ours = shared.tokens.family(token).is_some_and(|(owner, _)| owner == request.id);
    if !is_ours || shared.tokens.state(token) != TokenState::Live {
        return Err("a token of another service".to_owned());
    }
    let subject = if issuer.other_userinfo { "somebody else" } else { super::id_token::SUBJECT };
    Ok(super::json(&json!({"sub": subject, "email": "ada@example.com", "org": {"id": "O1"}}).to_string()))
}
