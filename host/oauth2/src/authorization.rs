//! The authorization request and the judgement of its answer.

use std::collections::HashSet;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jackfield_plugin_abi::envelope::{OAuth2, Request, State};
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;
use url::Url;

use super::random_text;

/// Key under which the pipeline's state holds the request's `state` parameter.
const STATE: &str = "state";
/// Key under which the pipeline's state, which is sealed, holds the code verifier.
const VERIFIER: &str = "code_verifier";
/// Key under which the pipeline's state holds what an ID token must repeat.
const NONCE: &str = "id_token_nonce";
/// The scope that asks for an ID token (OpenID Connect Core 1.0 section 3.1.2.1).
const OPENID: &str = "openid";

/// What the log-in step does.
#[derive(Debug, PartialEq, Eq)]
pub enum LogIn {
    /// Sends the person to the authorization endpoint.
    Redirect(String),
    /// The provider has answered: the callback step takes over.
    Next,
}

/// Why an answer of the authorization endpoint is refused. Holds no parameter's value but the provider's `error`.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CallbackError {
    /// The answer has no `state`.
    #[error("the answer has no state")]
    NoState,
    /// The pipeline holds no `state`: none was sent, or it was used.
    #[error("no state is expected, or it was used")]
    UnexpectedState,
    /// The states differ.
    #[error("the answer has another state")]
    OtherState,
    /// The answer does not say whose it is, though the issuer announces that its answers do (RFC 9207 section 2.4).
    #[error("the answer has no iss, and the issuer announces that its answers have one")]
    NoIssuer,
    /// The answer is another issuer's (RFC 9207 section 2.4).
    #[error("the answer is of another issuer, `{}`", .0.escape_debug())]
    OtherIssuer(String),
    /// A parameter came twice (RFC 6749 section 3.1).
    #[error("a parameter is repeated")]
    Repeated,
    /// `code` and `error` together.
    #[error("the answer has both a code and an error")]
    CodeAndError,
    /// Neither `code` nor `error`.
    #[error("the answer has neither a code nor an error")]
    Nothing,
    /// The provider or the person said no (RFC 6749 section 4.1.2.1).
    #[error("the provider answered the error `{}`", .0.escape_debug())]
    Refused(String),
}

/// What comes back from the authorization endpoint, and what was kept for the exchange. `Debug` would show both, so there is none.
pub(super) struct Code {
    /// The authorization code.
    pub(super) code: String,
    /// The verifier whose challenge was sent with the request.
    pub(super) verifier: Option<String>,
    /// What an ID token must repeat.
    pub(super) nonce: Option<String>,
}

/// What is known of whose answer it must be.
#[derive(Clone, Copy)]
pub(super) struct ExpectedIssuer<'a> {
    pub(super) id: &'a str,
    /// Whether its answers always say so (RFC 9207 section 3).
    pub(super) is_announced: bool,
}

/// Whether an ID token is asked for; one can be verified where the issuer is known.
pub(super) fn asks_for_id_token(oauth2: &OAuth2) -> bool {
    let has_issuer = oauth2.issuer.as_deref().is_some_and(|issuer| !issuer.is_empty());
    has_issuer && oauth2.scopes.iter().any(|scope| scope == OPENID)
}

/// The log-in step: binds a fresh `state`, and a fresh code verifier unless the provider wants none, and redirects, unless the provider has answered already.
///
/// # Errors
/// When the authorization endpoint is not a URL.
pub(super) fn log_in(oauth2: &OAuth2, request: &Request, state: &mut State) -> Result<LogIn, url::ParseError> {
    if request.query("code").is_some() || request.query("error").is_some() {
        return Ok(LogIn::Next);
    }
    let nonce = random_text();
    let mut url = authorization_url(oauth2, &nonce, &request.setup_url)?;
    state.insert(STATE.to_owned(), nonce.into());
    if oauth2.pkce {
        let verifier = random_text();
        add_challenge(&mut url, &verifier);
        state.insert(VERIFIER.to_owned(), verifier.into());
    }
    // OpenID Connect Core 1.0 section 15.5.2.
    if asks_for_id_token(oauth2) {
        let nonce = random_text();
        url.query_pairs_mut().append_pair("nonce", &nonce);
        state.insert(NONCE.to_owned(), nonce.into());
    }
    Ok(LogIn::Redirect(url.into()))
}

/// RFC 6749 section 4.1.1. The endpoint's own query is kept, as section 3.1 demands.
fn authorization_url(oauth2: &OAuth2, state: &str, redirect_uri: &str) -> Result<Url, url::ParseError> {
    let mut url = Url::parse(&oauth2.authorize_url)?;
    let mut query = url.query_pairs_mut();
    query.append_pair("client_id", &oauth2.client_id).append_pair("response_type", "code");
    // An empty scope is none of section 3.3; without one, a provider has a default or a scope set at registration.
    if !oauth2.scopes.is_empty() {
        query.append_pair("scope", &oauth2.scopes.join(&oauth2.scope_separator));
    }
    query
        .append_pair("state", state)
        .append_pair("redirect_uri", redirect_uri)
        .extend_pairs(&oauth2.authorize_parameters);
    drop(query);
    Ok(url)
}

/// RFC 7636 sections 4.2 and 4.3, method S256.
fn add_challenge(url: &mut Url, verifier: &str) {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    url.query_pairs_mut().append_pair("code_challenge", &challenge).append_pair("code_challenge_method", "S256");
}

/// Judges the answer and takes its code. The expected state, the verifier and the nonce are used up, whatever comes of it. Nothing is made
/// of a code or an error before it is known whose they are (RFC 9207 section 2.4).
pub(super) fn take_code(
    request: &Request,
    state: &mut State,
    issuer: Option<ExpectedIssuer<'_>>,
) -> Result<Code, CallbackError> {
    let expected = state.remove(STATE);
    let mut kept = |key| state.remove(key).and_then(|value| value.as_str().map(str::to_owned));
    let (verifier, nonce) = (kept(VERIFIER), kept(NONCE));
    let mut seen = HashSet::new();
    if !request.query.iter().all(|(name, _)| seen.insert(name)) {
        return Err(CallbackError::Repeated);
    }
    check_state(expected.as_ref(), request.query(STATE))?;
    issuer.map_or(Ok(()), |issuer| check_issuer(issuer, request.query("iss")))?;
    match (request.query("code"), request.query("error")) {
        (Some(code), None) => Ok(Code { code: code.to_owned(), verifier, nonce }),
        (None, Some(error)) => Err(CallbackError::Refused(error.to_owned())),
        (Some(_), Some(_)) => Err(CallbackError::CodeAndError),
        (None, None) => Err(CallbackError::Nothing),
    }
}

/// A missing stored value never counts as a match.
fn check_state(expected: Option<&Value>, given: Option<&str>) -> Result<(), CallbackError> {
    let expected = expected.and_then(Value::as_str).ok_or(CallbackError::UnexpectedState)?;
    let given = given.ok_or(CallbackError::NoState)?;
    let is_equal: bool = expected.as_bytes().ct_eq(given.as_bytes()).into();
    if is_equal { Ok(()) } else { Err(CallbackError::OtherState) }
}

/// RFC 9207 section 2.4: compared as texts, to the letter. One that comes unannounced must be right as well (RFC 9700 section 4.4.2.1).
fn check_issuer(expected: ExpectedIssuer<'_>, given: Option<&str>) -> Result<(), CallbackError> {
    match given {
        Some(given) if given == expected.id => Ok(()),
        Some(given) => Err(CallbackError::OtherIssuer(given.to_owned())),
        None if expected.is_announced => Err(CallbackError::NoIssuer),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETUP: &str = "https://jackfield.example/extensions/acme/setup/";

    fn request(query: &[(&str, &str)]) -> Request {
        let mut request = Request::new("GET", SETUP);
        request.query = query.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        request
    }

    fn acme() -> OAuth2 {
        OAuth2::new("https://acme.example/authorize?theme=dark", "https://acme.example/token")
            .client("id", "secret")
            .scopes(["a", "b:c"])
            .authorize_parameter("team", "T1")
    }

    #[test]
    fn the_authorization_request_has_every_parameter_and_keeps_the_endpoints_query() {
        let url = authorization_url(&acme(), "s-t", SETUP).expect("the endpoint is a URL");
        insta::assert_snapshot!(url, @"https://acme.example/authorize?theme=dark&client_id=id&response_type=code&scope=a+b%3Ac&state=s-t&redirect_uri=https%3A%2F%2Fjackfield.example%2Fextensions%2Facme%2Fsetup%2F&team=T1");
    }

    #[test]
    fn the_challenge_is_that_of_the_rfcs_example() {
        // RFC 7636 appendix B.
        let mut url = Url::parse("https://acme.example/").expect("a URL");
        add_challenge(&mut url, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let query = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
        assert_eq!(url.query(), Some(query));
    }

    #[test]
    fn a_verifier_is_kept_and_its_challenge_alone_is_sent_unless_the_provider_wants_none() {
        let mut state = State::new();
        let sent = log_in(&acme(), &request(&[]), &mut state).expect("a URL");
        let verifier = state[VERIFIER].as_str().expect("it is kept").to_owned();
        assert!((43..=128).contains(&verifier.len()), "RFC 7636 section 4.1");
        let LogIn::Redirect(url) = sent else { panic!("nothing was answered yet") };
        assert!(url.contains("&code_challenge=") && !url.contains(&verifier), "{url}");
        let answer = request(&[("code", "c"), ("state", state[STATE].as_str().expect("text"))]);
        let code = take_code(&answer, &mut state, None).map_err(|error| error.to_string());
        assert_eq!(code.ok().and_then(|code| code.verifier), Some(verifier));
        assert!(state.is_empty(), "it is sent once");

        let LogIn::Redirect(url) = log_in(&acme().without_pkce(), &request(&[]), &mut state).expect("a URL") else {
            panic!("nothing was answered yet")
        };
        assert!(!url.contains("code_challenge") && !state.contains_key(VERIFIER), "{url}");
    }

    #[test]
    fn a_nonce_goes_along_where_an_id_token_is_asked_for_and_can_be_verified() {
        // OpenID Connect Core 1.0 sections 3.1.2.1 and 15.5.2.
        let sent = |oauth2: OAuth2| {
            let mut state = State::new();
            let LogIn::Redirect(url) = log_in(&oauth2, &request(&[]), &mut state).expect("a URL") else {
                panic!("nothing was answered yet")
            };
            let nonce = state.remove(NONCE).and_then(|nonce| nonce.as_str().map(str::to_owned));
            assert_eq!(
                nonce.as_ref().map(|nonce| url.contains(&format!("&nonce={nonce}"))),
                nonce.as_ref().map(|_| true)
            );
            assert_eq!(url.contains("nonce="), nonce.is_some());
            nonce
        };
        let openid = || acme().scopes(["openid", "email"]);
        assert!(sent(openid().issuer("https://acme.example")).is_some());
        assert_ne!(sent(openid().issuer("https://acme.example")), sent(openid().issuer("https://acme.example")));
        assert!(sent(openid()).is_none() && sent(acme().issuer("https://acme.example")).is_none());
    }

    #[test]
    fn an_answer_of_another_issuer_is_refused_before_anything_is_made_of_it() {
        // RFC 9207 section 2.4; RFC 9700 section 4.4.2.
        let id = "https://acme.example";
        let (announced, unannounced) =
            (ExpectedIssuer { id, is_announced: true }, ExpectedIssuer { id, is_announced: false });
        let other = |given: &str| Err(CallbackError::OtherIssuer(given.to_owned()));
        let cases = [
            (Some(announced), Some(id), Ok(())),
            (Some(announced), None, Err(CallbackError::NoIssuer)),
            (Some(announced), Some("https://evil.example"), other("https://evil.example")),
            (Some(announced), Some("https://acme.example/"), other("https://acme.example/")),
            (Some(announced), Some("https://ACME.example"), other("https://ACME.example")),
            (Some(announced), Some(""), other("")),
            (Some(unannounced), Some(id), Ok(())),
            (Some(unannounced), None, Ok(())),
            (Some(unannounced), Some("https://evil.example"), other("https://evil.example")),
            (None, Some("https://evil.example"), Ok(())),
        ];
        for (issuer, given, judgement) in cases {
            for answer in [("code", "c"), ("error", "access_denied")] {
                let mut state: State = [(STATE.to_owned(), "s".into())].into_iter().collect();
                let query: Vec<_> = [answer, ("state", "s")].into_iter().chain(given.map(|iss| ("iss", iss))).collect();
                let judged = match take_code(&request(&query), &mut state, issuer) {
                    Ok(_) | Err(CallbackError::Refused(_)) => Ok(()),
                    Err(error) => Err(error),
                };
                assert_eq!(judged, judgement, "{query:?}");
            }
        }
    }

    #[test]
    fn each_log_in_binds_another_state_and_sends_it() {
        let (mut first, mut second) = (State::new(), State::new());
        let LogIn::Redirect(url) = log_in(&acme(), &request(&[]), &mut first).expect("a URL") else {
            panic!("nothing was answered yet")
        };
        log_in(&acme(), &request(&[]), &mut second).expect("a URL");
        assert_ne!(first[STATE], second[STATE]);
        assert!(url.contains(&format!("state={}", first[STATE].as_str().expect("text"))), "{url}");
    }

    #[test]
    fn an_answer_at_the_log_in_step_goes_to_the_callback_and_not_round_in_circles() {
        for query in [[("code", "c")], [("error", "access_denied")]] {
            let mut state = State::new();
            assert_eq!(log_in(&acme(), &request(&query), &mut state), Ok(LogIn::Next));
            assert!(state.is_empty());
        }
    }

    #[test]
    fn answers_are_judged() {
        let (code, error, given) = (("code", "c"), ("error", "access_denied"), ("state", "s"));
        let refused = Err(CallbackError::Refused("access_denied".to_owned()));
        let cases = [
            (Some("s"), vec![code, given], Ok("c".to_owned())),
            (Some("s"), vec![error, given], refused),
            (Some("s"), vec![code], Err(CallbackError::NoState)),
            (Some("s"), vec![error], Err(CallbackError::NoState)),
            (Some("s"), vec![code, ("state", "t")], Err(CallbackError::OtherState)),
            (Some("s"), vec![code, ("state", "")], Err(CallbackError::OtherState)),
            (None, vec![code, given], Err(CallbackError::UnexpectedState)),
            (None, vec![code], Err(CallbackError::UnexpectedState)),
            (Some("s"), vec![code, error, given], Err(CallbackError::CodeAndError)),
            (Some("s"), vec![given], Err(CallbackError::Nothing)),
            (Some("s"), vec![code, code, given], Err(CallbackError::Repeated)),
            (Some("s"), vec![code, given, given], Err(CallbackError::Repeated)),
        ];
        for (expected, query, judgement) in cases {
            let mut state: State = [(VERIFIER.to_owned(), "v".into())].into_iter().collect();
            if let Some(expected) = expected {
                state.insert(STATE.into(), expected.into());
            }
            let code = take_code(&request(&query), &mut state, None).map(|Code { code, .. }| code);
            assert_eq!(code, judgement, "{query:?}");
            assert!(state.is_empty(), "state and verifier are used up: {query:?}");
        }
    }
}
