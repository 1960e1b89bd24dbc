//! What an issuer publishes: its metadata (RFC 8414, OpenID Connect Discovery 1.0), keys and
//! userinfo.

use std::sync::atomic::Ordering;

use axum::{
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use jackfield_stand_in::{Endpoints, IssuerKey, OPENID_CONFIGURATION};
use serde_json::{Value, json};

use super::{
    client::CLIENT,
    id_token::SUBJECT,
    issuer::{Issuer, Metadata, Place, Userinfo},
    issuer_identifier,
    request::{Rejection, ServiceRequest},
    responses,
    shared::Shared,
};
use crate::stand_in::{TokenState, locked};

/// The well-known part before an issuer's path.
pub(super) const OAUTH: &str = ".well-known/oauth-authorization-server/";

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
    Some(Ok(if is_down {
        StatusCode::SERVICE_UNAVAILABLE.into_response()
    } else {
        responses::json(&answer.to_string())
    }))
}

fn metadata(shared: &Shared, request: &ServiceRequest<'_>, issuer: &Issuer, is_openid: bool) -> Value {
    let at = |what: &str| shared.url(request.id, &format!("https://{}.example/{what}", request.id));
    let endpoints =
        Endpoints { authorization: at("authorize"), token: at("token"), userinfo: at("userinfo"), jwks: at("keys") };
    let mut metadata = Value::Object(endpoints.metadata(&issuer_identifier::id(shared, request)));
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
        Metadata::WrongTypes => {
            metadata["scopes_supported"] = "openid".into();
            metadata["code_challenge_methods_supported"] = Value::Null;
            metadata["revocation_endpoint"] = json!(7);
        }
        Metadata::NumberForUrl => metadata["token_endpoint"] = json!(7),
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
    let subject = if issuer.other_userinfo { "somebody else" } else { SUBJECT };
    let mut claims = json!({"sub": subject, "email": "ada@example.com", "org": {"id": "O1"}});
    if issuer.userinfo == Userinfo::Json {
        return Ok(responses::json(&claims.to_string()));
    }
    claims["iss"] = issuer_identifier::id(shared, request).into();
    claims["aud"] = if issuer.userinfo == Userinfo::OtherAudience { "another" } else { CLIENT }.into();
    let key = locked(&shared.issuing.key);
    let text = match issuer.userinfo {
        Userinfo::SignedByAnother => IssuerKey::generate(key.id()).sign(&claims),
        Userinfo::Encrypted => "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d".to_owned(),
        _ => key.sign(&claims),
    };
    Ok(([(header::CONTENT_TYPE, "application/jwt")], text).into_response())
}
