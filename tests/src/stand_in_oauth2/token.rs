//! The token endpoint: an answer for a code (RFC 6749 section 4.1.3), and what all its requests have in common.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::{
    Answers, Asked, Authentication, Body, CLIENT, Grant, Pairs, Pkce, Refused, SECRET, Shared, assertion, expect_equal,
    expect_only, id_token, pairs, take, take_optional,
};
use crate::stand_in::{Pair, Terms, locked};

pub(super) fn answer(shared: &Shared, asked: &Asked<'_>) -> Result<Response, Refused> {
    let mut given = authenticated(shared, asked)?;
    expect_equal("grant_type", &take(&mut given, "grant_type")?, "authorization_code")?;
    let code = take(&mut given, "code")?;
    // Used up by the first request that names it, good or bad.
    let grant = locked(&shared.grants).remove(&code).ok_or("the code was never given, or used")?;
    expect_equal("the code's service", &grant.id, asked.id)?;
    expect_equal("redirect_uri", &take(&mut given, "redirect_uri")?, &grant.redirect_uri)?;
    verify(shared, asked, &grant, &mut given)?;
    expect_only(given, &asked.dialect.token_parameters)?;
    let facts = json!({"scope": grant.scope});
    let pair = shared.ledger.open(asked.id, facts, &terms(asked));
    let id_token = id_token::issued(shared, asked, grant.nonce.as_deref(), &pair.access);
    Ok(granted(asked, &pair, Some(&json!(id_token))))
}

/// The parameters of a request whose client has proved itself, without those of the proof.
pub(super) fn authenticated(shared: &Shared, asked: &Asked<'_>) -> Result<Pairs, Refused> {
    if !asked.query.is_empty() {
        return Err("the request has a query, where secrets do not belong".to_owned());
    }
    let mut given = parameters(asked)?;
    authenticate(shared, asked, &mut given)?;
    Ok(given)
}

/// Whether a request wants to refresh, be it good or bad.
pub(super) fn is_refresh(asked: &Asked<'_>) -> bool {
    let is_grant = |(name, value): &(String, String)| name == "grant_type" && value == "refresh_token";
    parameters(asked).is_ok_and(|given| given.iter().any(is_grant))
}

/// A refusal with an error code (RFC 6749 section 5.2).
pub(super) fn refused_with(error: &str) -> Response {
    let body = json!({"error": error}).to_string();
    (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// On what terms tokens are given out: by the token answer, and what is said of rotation.
pub(super) fn terms(asked: &Asked<'_>) -> Terms {
    let answer: Value = serde_json::from_str(&asked.dialect.token_answer).expect("the dialect's answers are JSON");
    let has_refresh = asked.dialect.token_answer.contains("\"REFRESH\"");
    Terms {
        access_prefix: format!("access-{}-", asked.id),
        refresh_prefix: has_refresh.then(|| format!("refresh-{}-", asked.id)),
        // Some services say 0 for tokens that do not expire.
        expires_in: answer["expires_in"].as_u64().filter(|seconds| *seconds > 0),
        refresh_expires_in: asked.dialect.refresh_expires_in,
        rotation: asked.dialect.rotation,
    }
}

/// The members of the body, which is what the dialect wants and nothing else.
fn parameters(asked: &Asked<'_>) -> Result<Pairs, Refused> {
    let content_type = asked.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let wanted = match asked.dialect.body {
        Body::Form => "application/x-www-form-urlencoded",
        Body::Json => "application/json",
    };
    expect_equal("the content type", content_type.unwrap_or_default(), wanted)?;
    if asked.dialect.body == Body::Form {
        return Ok(pairs(&asked.body));
    }
    let object: serde_json::Map<String, Value> =
        serde_json::from_slice(&asked.body).map_err(|_| "the body is not a JSON object")?;
    let pair = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
    object.into_iter().map(pair).collect::<Option<_>>().ok_or_else(|| "a member is not text".to_owned())
}

/// One way and not the other (RFC 6749 section 2.3).
fn authenticate(shared: &Shared, asked: &Asked<'_>, given: &mut Pairs) -> Result<(), Refused> {
    let header = asked.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (id, secret) = match (asked.dialect.authentication, header) {
        (Authentication::PrivateKeyJwt, None) => return assertion::check(shared, asked, given),
        (Authentication::Post, None) => (take(given, "client_id")?, take(given, "client_secret")?),
        (Authentication::Basic, Some(header)) => basic(header).ok_or("not HTTP Basic authentication")?,
        (way, _) => return Err(format!("the client does not prove itself by {way:?} alone")),
    };
    expect_equal("client_id", &id, CLIENT)?;
    // Not in words: what a token endpoint says is shown to people.
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
fn verify(shared: &Shared, asked: &Asked<'_>, grant: &Grant, given: &mut Pairs) -> Result<(), Refused> {
    if asked.dialect.pkce == Pkce::Refused {
        return Ok(());
    }
    let verifier = take_optional(given, "code_verifier")?;
    locked(&shared.verifiers).extend(verifier.clone());
    match (&grant.challenge, verifier) {
        (Some(challenge), Some(verifier)) if (43..=128).contains(&verifier.len()) => {
            expect_equal("the challenge", &BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)), challenge)
        }
        (Some(_), _) => Err("code_verifier is missing, too short or too long".to_owned()),
        // RFC 9700 section 4.8.2: somebody has taken the challenge out of the request.
        (None, Some(_)) if asked.dialect.pkce != Pkce::Ignored => {
            Err("code_verifier is there, and no code_challenge was".to_owned())
        }
        (None, _) => Ok(()),
    }
}

/// The dialect's answer with these tokens; a refresh brings no ID token.
pub(super) fn granted(asked: &Asked<'_>, pair: &Pair, id_token: Option<&Value>) -> Response {
    let answer = asked.dialect.token_answer.replace("\"TOKEN\"", &format!("{:?}", pair.access));
    let answer = answer.replace("\"REFRESH\"", &format!("{:?}", pair.refresh.as_deref().unwrap_or_default()));
    let answer = answer.replace("\"ID_TOKEN\"", &id_token.unwrap_or(&Value::Null).to_string());
    let wants_json = asked.headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/json");
    match asked.dialect.answers {
        Answers::Json => super::json(&answer),
        Answers::FormUnlessAsked if wants_json => super::json(&answer),
        Answers::FormUnlessAsked | Answers::Form => form(&answer),
    }
}

fn form(answer: &str) -> Response {
    let answer: Value = serde_json::from_str(answer).expect("the dialect's answers are JSON");
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in answer.as_object().into_iter().flatten() {
        form.append_pair(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
    }
    ([(header::CONTENT_TYPE, "application/x-www-form-urlencoded")], form.finish()).into_response()
}
