//! The authorization request (RFC 6749 section 4.1.1) and the check of its answer (section 4.1.2).

use std::collections::HashSet;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jackfield_plugin_abi::envelope::{OAuth2, Request, State};
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

use super::{callback_error::CallbackError, random::random_text};

/// State key of the request's `state` parameter.
const STATE: &str = "state";
/// State key of the code verifier. The setup's state is sealed.
const VERIFIER: &str = "code_verifier";
/// State key of the nonce that an ID token must repeat.
const NONCE: &str = "id_token_nonce";
/// The scope that requests an ID token (OpenID Connect Core 1.0 section 3.1.2.1).
const OPENID: &str = "openid";

/// What the log-in step does.
#[derive(Debug, PartialEq, Eq)]
pub enum LoginOutcome {
    /// Sends the person to the authorization endpoint.
    Redirect(String),
    /// The provider has answered already: the callback step takes over.
    Answered,
}

/// The code from the authorization endpoint, with what its exchange needs. All of it is secret, so
/// there is no `Debug`.
pub(super) struct AuthorizationCode {
    pub(super) code: String,
    /// The verifier whose challenge was sent with the request (RFC 7636).
    pub(super) verifier: Option<String>,
    /// The nonce that an ID token must repeat.
    pub(super) nonce: Option<String>,
}

/// The issuer that must have answered.
#[derive(Clone, Copy)]
pub(super) struct ExpectedIssuer<'a> {
    pub(super) id: &'a str,
    /// Whether it announces that its answers name it (RFC 9207 section 3).
    pub(super) is_announced: bool,
}

/// Whether an ID token is requested. Without an issuer, none could be verified.
pub(super) fn requests_id_token(oauth2: &OAuth2) -> bool {
    let has_issuer = oauth2.issuer.as_deref().is_some_and(|issuer| !issuer.is_empty());
    has_issuer && oauth2.scopes.iter().any(|scope| scope == OPENID)
}

/// Whether a request is the answer of an authorization server.
#[must_use]
pub fn is_answer(request: &Request) -> bool {
    given(request, "code").is_some() || given(request, "error").is_some()
}

/// Whether the log-in step goes on to the callback. What repeats the state of the request is its
/// answer, whatever else it says: to ask again would go round in circles.
fn is_answered(request: &Request, state: &State) -> bool {
    is_answer(request) || check_state(state.get(STATE), request.query(STATE)).is_ok()
}

/// Why a request answers nothing of this setup, although the setup waits for an answer; `None` if
/// it may be the answer. Any site can send the browser here with such a request, and a service can
/// send it back without an answer.
#[must_use]
pub fn foreign_answer(request: &Request, state: &State) -> Option<CallbackError> {
    if !state.contains_key(STATE) || given(request, "code").is_some() {
        return None;
    }
    match check_state(state.get(STATE), request.query(STATE)) {
        Err(_) if request.query.is_empty() => Some(CallbackError::NoAnswer),
        checked => checked.err(),
    }
}

/// A parameter that is not empty.
fn given<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.query(name).filter(|value| !value.is_empty())
}

/// The log-in step, up to the redirect.
///
/// # Errors
/// When the authorization endpoint is not a URL.
pub(super) fn log_in(oauth2: &OAuth2, request: &Request, state: &mut State) -> Result<LoginOutcome, url::ParseError> {
    if is_answered(request, state) {
        return Ok(LoginOutcome::Answered);
    }
    let state_parameter = random_text();
    let mut url = authorization_url(oauth2, &state_parameter, &request.setup_url)?;
    state.insert(STATE.to_owned(), state_parameter.into());
    if oauth2.pkce {
        let verifier = random_text();
        add_challenge(&mut url, &verifier);
        state.insert(VERIFIER.to_owned(), verifier.into());
    }
    // OpenID Connect Core 1.0 section 15.5.2.
    if requests_id_token(oauth2) {
        let nonce = random_text();
        url.query_pairs_mut().append_pair("nonce", &nonce);
        state.insert(NONCE.to_owned(), nonce.into());
    }
    Ok(LoginOutcome::Redirect(url.into()))
}

/// RFC 6749 section 4.1.1. The endpoint's own query is kept, as section 3.1 demands.
fn authorization_url(oauth2: &OAuth2, state: &str, redirect_uri: &str) -> Result<Url, url::ParseError> {
    let mut url = Url::parse(&oauth2.authorize_url)?;
    let mut query = url.query_pairs_mut();
    query.append_pair("client_id", &oauth2.client_id).append_pair("response_type", "code");
    // Section 3.3 allows no empty scope. Without one, a provider uses a default, or what was
    // registered.
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

/// Checks the answer and takes its code. The expected state, the verifier and the nonce are used up
/// in any case. Neither a code nor an error counts before its issuer is checked (RFC 9207 section
/// 2.4).
pub(super) fn take_code(
    request: &Request,
    state: &mut State,
    issuer: Option<ExpectedIssuer<'_>>,
) -> Result<AuthorizationCode, CallbackError> {
    let expected = state.remove(STATE);
    let mut take = |key| state.remove(key).and_then(|value| value.as_str().map(str::to_owned));
    let verifier = take(VERIFIER);
    let nonce = take(NONCE);
    let mut seen = HashSet::new();
    if !request.query.iter().all(|(name, _)| seen.insert(name)) {
        return Err(CallbackError::RepeatedParameter);
    }
    check_state(expected.as_ref(), request.query(STATE))?;
    issuer.map_or(Ok(()), |issuer| check_issuer(issuer, request.query("iss")))?;
    match (given(request, "code"), given(request, "error")) {
        (Some(code), None) => Ok(AuthorizationCode { code: code.to_owned(), verifier, nonce }),
        (None, Some(error)) => Err(CallbackError::Refused(error.to_owned())),
        (Some(_), Some(_)) => Err(CallbackError::CodeAndError),
        // Some services only describe the error.
        (None, None) => Err(given(request, "error_description")
            .map_or(CallbackError::NoCode, |description| CallbackError::Refused(description.to_owned()))),
    }
}

/// A missing expected value never matches. Compared in constant time.
fn check_state(expected: Option<&Value>, given: Option<&str>) -> Result<(), CallbackError> {
    let expected = expected.and_then(Value::as_str).ok_or(CallbackError::UnexpectedState)?;
    let given = given.ok_or(CallbackError::MissingState)?;
    let is_equal: bool = expected.as_bytes().ct_eq(given.as_bytes()).into();
    if is_equal { Ok(()) } else { Err(CallbackError::StateMismatch) }
}

/// RFC 9207 section 2.4: compared as text. An unannounced one must match as well (RFC 9700 section
/// 4.4.2.1).
fn check_issuer(expected: ExpectedIssuer<'_>, given: Option<&str>) -> Result<(), CallbackError> {
    match given {
        Some(given) if given == expected.id => Ok(()),
        Some(given) => Err(CallbackError::IssuerMismatch(given.to_owned())),
        None if expected.is_announced => Err(CallbackError::MissingIssuer),
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
    fn only_the_challenge_of_a_verifier_is_sent_unless_the_provider_wants_none() {
        let mut state = State::new();
        let sent = log_in(&acme(), &request(&[]), &mut state).expect("a URL");
        let verifier = state[VERIFIER].as_str().expect("it is kept").to_owned();
        assert!((43..=128).contains(&verifier.len()), "RFC 7636 section 4.1");
        let LoginOutcome::Redirect(url) = sent else { panic!("nothing was answered yet") };
        assert!(url.contains("&code_challenge=") && !url.contains(&verifier), "{url}");
        let answer = request(&[("code", "c"), ("state", state[STATE].as_str().expect("text"))]);
        let code = take_code(&answer, &mut state, None).map_err(|error| error.to_string());
        assert_eq!(code.ok().and_then(|code| code.verifier), Some(verifier));
        assert!(state.is_empty(), "it is sent once");

        let LoginOutcome::Redirect(url) = log_in(&acme().without_pkce(), &request(&[]), &mut state).expect("a URL")
        else {
            panic!("nothing was answered yet")
        };
        assert!(!url.contains("code_challenge") && !state.contains_key(VERIFIER), "{url}");
    }

    #[test]
    fn a_nonce_is_sent_if_an_id_token_is_requested_and_can_be_verified() {
        // OpenID Connect Core 1.0 sections 3.1.2.1 and 15.5.2.
        let sent = |oauth2: OAuth2| {
            let mut state = State::new();
            let LoginOutcome::Redirect(url) = log_in(&oauth2, &request(&[]), &mut state).expect("a URL") else {
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
    fn an_answer_of_another_issuer_is_refused_before_it_is_used() {
        // RFC 9207 section 2.4; RFC 9700 section 4.4.2.
        let id = "https://acme.example";
        let (announced, unannounced) =
            (ExpectedIssuer { id, is_announced: true }, ExpectedIssuer { id, is_announced: false });
        let other = |given: &str| Err(CallbackError::IssuerMismatch(given.to_owned()));
        let cases = [
            (Some(announced), Some(id), Ok(())),
            (Some(announced), None, Err(CallbackError::MissingIssuer)),
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
    fn each_log_in_binds_and_sends_a_new_state() {
        let (mut first, mut second) = (State::new(), State::new());
        let LoginOutcome::Redirect(url) = log_in(&acme(), &request(&[]), &mut first).expect("a URL") else {
            panic!("nothing was answered yet")
        };
        log_in(&acme(), &request(&[]), &mut second).expect("a URL");
        assert_ne!(first[STATE], second[STATE]);
        assert!(url.contains(&format!("state={}", first[STATE].as_str().expect("text"))), "{url}");
    }

    #[test]
    fn an_answer_at_the_log_in_step_goes_to_the_callback() {
        for query in [[("code", "c")], [("error", "access_denied")]] {
            let mut state = State::new();
            assert_eq!(log_in(&acme(), &request(&query), &mut state), Ok(LoginOutcome::Answered));
            assert!(state.is_empty());
        }
    }

    #[test]
    fn only_what_answers_nothing_that_was_asked_is_foreign() {
        let waits: State = [(STATE.to_owned(), "s".into())].into_iter().collect();
        let (missing, other) = (Some(CallbackError::MissingState), Some(CallbackError::StateMismatch));
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<CallbackError>);
        let cases: [Case<'_>; 11] = [
            (&[("error", "e")], missing.clone()),
            (&[("error", "e"), ("state", "")], other.clone()),
            (&[("error", "e"), ("state", "t")], other.clone()),
            (&[("error", "e"), ("state", "s")], None),
            (&[("error", "e"), ("code", "c")], None),
            (&[("code", "c")], None),
            (&[("code", "")], missing.clone()),
            (&[("admin_consent", "True")], missing),
            (&[("admin_consent", "True"), ("state", "t")], other),
            (&[("admin_consent", "True"), ("state", "s")], None),
            (&[], Some(CallbackError::NoAnswer)),
        ];
        for (query, foreign) in cases {
            assert_eq!(foreign_answer(&request(query), &waits), foreign, "{query:?}");
            assert_eq!(foreign_answer(&request(query), &State::new()), None, "no request is out: {query:?}");
        }
    }

    #[test]
    fn what_repeats_the_state_is_an_answer_and_nobody_is_sent_to_log_in_again() {
        for more in [("admin_consent", "True"), ("error_description", "no"), ("code", ""), ("tenant", "t")] {
            let mut state: State = [(STATE.to_owned(), "s".into())].into_iter().collect();
            let mut log_in = |query: &[(&str, &str)]| log_in(&acme(), &request(query), &mut state).expect("a URL");
            assert_eq!(log_in(&[more, ("state", "s")]), LoginOutcome::Answered, "{more:?}");
            assert!(matches!(log_in(&[more, ("state", "t")]), LoginOutcome::Redirect(_)), "{more:?}");
        }
    }

    #[test]
    fn answers_are_checked() {
        let (code, error, given) = (("code", "c"), ("error", "access_denied"), ("state", "s"));
        let refused = Err(CallbackError::Refused("access_denied".to_owned()));
        let cases = [
            (Some("s"), vec![code, given], Ok("c".to_owned())),
            (Some("s"), vec![error, given], refused),
            (Some("s"), vec![code], Err(CallbackError::MissingState)),
            (Some("s"), vec![error], Err(CallbackError::MissingState)),
            (Some("s"), vec![code, ("state", "t")], Err(CallbackError::StateMismatch)),
            (Some("s"), vec![code, ("state", "")], Err(CallbackError::StateMismatch)),
            (None, vec![code, given], Err(CallbackError::UnexpectedState)),
            (None, vec![code], Err(CallbackError::UnexpectedState)),
            (Some("s"), vec![code, error, given], Err(CallbackError::CodeAndError)),
            (Some("s"), vec![given], Err(CallbackError::NoCode)),
            (Some("s"), vec![("code", ""), given], Err(CallbackError::NoCode)),
            (Some("s"), vec![("admin_consent", "True"), given], Err(CallbackError::NoCode)),
            (Some("s"), vec![code, ("error", ""), given], Ok("c".to_owned())),
            (Some("s"), vec![("error_description", "no"), given], Err(CallbackError::Refused("no".to_owned()))),
            (Some("s"), vec![code, code, given], Err(CallbackError::RepeatedParameter)),
            (Some("s"), vec![code, given, given], Err(CallbackError::RepeatedParameter)),
        ];
        for (expected, query, judgement) in cases {
            let mut state: State = [(VERIFIER.to_owned(), "v".into())].into_iter().collect();
            if let Some(expected) = expected {
                state.insert(STATE.into(), expected.into());
            }
            let code = take_code(&request(&query), &mut state, None).map(|AuthorizationCode { code, .. }| code);
            assert_eq!(code, judgement, "{query:?}");
            assert!(state.is_empty(), "state and verifier are used up: {query:?}");
        }
    }
}
