//! The token endpoint for a code (RFC 6749 section 4.1.3), and what all its requests share.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use jackfield_stand_in::{Parameters, s256};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    assertion,
    client::{CLIENT, SECRET},
    grant::Grant,
    id_token,
    request::{Rejection, ServiceRequest, expect_equal, expect_only},
    responses,
    service_profile::{Answers, Authentication, Body, Pkce},
    shared::Shared,
};
use crate::stand_in::{IssuedTokens, TokenPolicy, locked};

pub(super) fn answer(shared: &Shared, request: &ServiceRequest<'_>) -> Result<Response, Rejection> {
    let mut given = authenticated(shared, request)?;
    expect_equal("grant_type", &given.take("grant_type")?, "authorization_code")?;
    let code = given.take("code")?;
    // The first request with a code uses it up, good or bad.
    let grant = shared.codes.redeem(&code).ok_or("the code was never given, or used")?;
    expect_equal("the code's service", &grant.id, request.id)?;
    expect_equal("redirect_uri", &given.take("redirect_uri")?, &grant.redirect_uri)?;
    verify(shared, request, &grant, &mut given)?;
    expect_only(given, &request.profile.token_parameters)?;
    let data = json!({"scope": grant.scope});
    let issued = shared.tokens.issue(request.id, data, &policy(request));
    let id_token = id_token::issued(shared, request, grant.nonce.as_deref(), &issued.access);
    Ok(granted(request, &issued, Some(&json!(id_token))))
}

/// Authenticates the client and returns the other parameters.
pub(super) fn authenticated(shared: &Shared, request: &ServiceRequest<'_>) -> Result<Parameters, Rejection> {
    if !request.query.is_empty() {
        return Err("the request has a query, where secrets do not belong".to_owned());
    }
    let mut given = parameters(request)?;
    authenticate(shared, request, &mut given)?;
    Ok(given)
}

/// Whether a request is a refresh, good or bad.
pub(super) fn is_refresh(request: &ServiceRequest<'_>) -> bool {
    parameters(request).is_ok_and(|given| given.iter().any(|pair| pair == ("grant_type", "refresh_token")))
}

/// How the service issues tokens, by its token answer and rotation.
pub(super) fn policy(request: &ServiceRequest<'_>) -> TokenPolicy {
    let answer: Value = serde_json::from_str(&request.profile.token_answer).expect("the service's answers are JSON");
    let has_refresh = request.profile.token_answer.contains("\"REFRESH\"");
    TokenPolicy {
        access_prefix: format!("access-{}-", request.id),
        refresh_prefix: has_refresh.then(|| format!("refresh-{}-", request.id)),
        // Some services send 0 for tokens that never expire.
        expires_in: answer["expires_in"].as_u64().filter(|seconds| *seconds > 0),
        refresh_expires_in: request.profile.refresh_expires_in,
        rotation: request.profile.rotation,
    }
}

/// The parameters of the body, which has the format that the service wants.
fn parameters(request: &ServiceRequest<'_>) -> Result<Parameters, Rejection> {
    let content_type = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let wanted = match request.profile.body {
        Body::Form => "application/x-www-form-urlencoded",
        Body::Json => "application/json",
    };
    expect_equal("the content type", content_type.unwrap_or_default(), wanted)?;
    if request.profile.body == Body::Form {
        return Ok(Parameters::from_form(&request.body));
    }
    Parameters::from_json(&request.body).ok_or_else(|| "the body is not a JSON object of texts".to_owned())
}

/// Accepts one method and no other (RFC 6749 section 2.3).
fn authenticate(shared: &Shared, request: &ServiceRequest<'_>, given: &mut Parameters) -> Result<(), Rejection> {
    let header = request.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (id, secret) = match (request.profile.authentication, header) {
        (Authentication::PrivateKeyJwt, None) => return assertion::check(shared, request, given),
        (Authentication::Post, None) => (given.take("client_id")?, given.take("client_secret")?),
        (Authentication::Basic, Some(header)) => basic(header).ok_or("not HTTP Basic authentication")?,
        (way, _) => return Err(format!("the client does not prove itself by {way:?} alone")),
    };
    expect_equal("client_id", &id, CLIENT)?;
    // Without the secret: users see what a token endpoint says.
    if secret == SECRET { Ok(()) } else { Err("another client_secret".to_owned()) }
}

/// RFC 6749 section 2.3.1: id and secret are form-encoded.
fn basic(header: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(BASE64_STANDARD.decode(header.strip_prefix("Basic ")?).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let plain = |text: &str| form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned());
    Some((plain(id)?, plain(secret)?))
}

/// RFC 7636 section 4.6.
fn verify(
    shared: &Shared,
    request: &ServiceRequest<'_>,
    grant: &Grant,
    given: &mut Parameters,
) -> Result<(), Rejection> {
    if request.profile.pkce == Pkce::Refused {
        return Ok(());
    }
    let verifier = given.take_optional("code_verifier")?;
    locked(&shared.verifiers).extend(verifier.clone());
    match (&grant.challenge, verifier) {
        (Some(challenge), Some(verifier)) if (43..=128).contains(&verifier.len()) => {
            expect_equal("the challenge", &s256(&verifier), challenge)
        }
        (Some(_), _) => Err("code_verifier is missing, too short or too long".to_owned()),
        // RFC 9700 section 4.8.2: an attacker has removed the challenge from the request.
        (None, Some(_)) if request.profile.pkce != Pkce::Ignored => {
            Err("code_verifier is there, and no code_challenge was".to_owned())
        }
        (None, _) => Ok(()),
    }
}

/// The service's response with these tokens. A refresh has no ID token.
pub(super) fn granted(request: &ServiceRequest<'_>, issued: &IssuedTokens, id_token: Option<&Value>) -> Response {
    let answer = request.profile.token_answer.replace("\"TOKEN\"", &format!("{:?}", issued.access));
    let answer = answer.replace("\"REFRESH\"", &format!("{:?}", issued.refresh.as_deref().unwrap_or_default()));
    let answer = answer.replace("\"ID_TOKEN\"", &id_token.unwrap_or(&Value::Null).to_string());
    let wants_json = request.headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/json");
    match request.profile.answers {
        Answers::Json => responses::json(&answer),
        Answers::FormUnlessAsked if wants_json => responses::json(&answer),
        Answers::FormUnlessAsked | Answers::Form => form(&answer),
    }
}

fn form(answer: &str) -> Response {
    let answer: Value = serde_json::from_str(answer).expect("the service's answers are JSON");
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in answer.as_object().into_iter().flatten() {
        form.append_pair(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
    }
    ([(header::CONTENT_TYPE, "application/x-www-form-urlencoded")], form.finish()).into_response()
}
