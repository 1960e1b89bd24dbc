//! The two steps of a setup that the host runs for a provider: log-in and callback.

use jackfield_outbound::OutboundError;
use jackfield_plugin_abi::envelope::{Request, State};
use time::OffsetDateTime;

use super::{
    authorization::{self, AuthorizationCode, ExpectedIssuer, LoginOutcome, requests_id_token},
    error::OAuth2Error,
    id_token::{self, IdTokenError},
    scopes::ScopeComparison,
    server::{AuthorizationServer, KnownIssuer},
    token,
    userinfo::{self, Answered, UserinfoError},
};
use crate::jose::Jws;

/// State key of the token answer.
const DATA: &str = "data";
/// State key of the requested and granted scopes.
const SCOPES: &str = "oauth2";
/// State key of the verified ID token's claims.
const CLAIMS: &str = "id_token_claims";
/// State key of the userinfo.
const USERINFO: &str = "userinfo";

impl AuthorizationServer {
    /// The log-in step: sends the person to the authorization endpoint, unless the request already
    /// is the answer from there.
    ///
    /// It binds a fresh `state` into the setup's state, a fresh code verifier unless the provider
    /// wants none, and a fresh nonce if an ID token is requested.
    ///
    /// # Errors
    /// When the authorization endpoint is not a URL, or is plain http that the operator does not
    /// allow (RFC 6749 section 3.1). That holds for every source of the URL: what the person types
    /// there, and the state and challenge of the request, could be read on the way.
    pub async fn log_in(&self, request: &Request, state: &mut State) -> Result<LoginOutcome, OAuth2Error> {
        let outcome = authorization::log_in(self.oauth2(), request, state)
            .map_err(|_| OAuth2Error::Authorization(OutboundError::Url))?;
        if matches!(outcome, LoginOutcome::Redirect(_)) {
            let checked = self.outbound().check_login_url(&self.oauth2().authorize_url).await;
            checked.map_err(OAuth2Error::Authorization)?;
        }
        Ok(outcome)
    }

    /// The callback step: exchanges the code for tokens and binds what comes into the setup's
    /// state.
    ///
    /// `data` is the token answer. `oauth2` holds the requested and granted scopes, with the name
    /// of this step beside them. If the issuer is known and they are requested, `id_token_claims`
    /// holds the claims of the verified ID token, and `userinfo` the userinfo.
    ///
    /// # Errors
    /// When the answer is refused, no token comes, or what comes with it is invalid. The state's
    /// `state`, code verifier and nonce are used up in any case. Tokens that did come are bound as
    /// `data` even then: they work, so somebody has to revoke them.
    pub async fn callback(
        &self,
        step: &str,
        request: &Request,
        state: &mut State,
        now: OffsetDateTime,
    ) -> Result<ScopeComparison, OAuth2Error> {
        // Only verified values may stand under these keys.
        for key in [CLAIMS, USERINFO] {
            state.remove(key);
        }
        let code = authorization::take_code(request, state, self.expected_issuer())?;
        let answer = token::exchange(self.oauth2(), &code, &request.setup_url, self.outbound(), now).await?;
        let scopes = ScopeComparison::of_answer(self.oauth2(), &answer);
        let mut bound = serde_json::to_value(&scopes).expect("scopes are plain JSON");
        bound["step"] = step.into();
        state.insert(SCOPES.to_owned(), bound);
        state.insert(DATA.to_owned(), answer.clone().into());
        let claims = self.verified_claims(&answer, &code, now).await?;
        if self.oauth2().userinfo {
            let userinfo = self.userinfo(&answer, claims.as_ref(), now).await?;
            state.insert(USERINFO.to_owned(), userinfo.into());
        }
        if let Some(claims) = claims {
            state.insert(CLAIMS.to_owned(), claims.into());
        }
        Ok(scopes)
    }

    fn expected_issuer(&self) -> Option<ExpectedIssuer<'_>> {
        self.issuer().map(|known| ExpectedIssuer {
            id: known.issuer.id(),
            is_announced: known.metadata.authorization_response_iss_parameter_supported,
        })
    }

    /// The claims of the ID token in a token answer, if one was requested from a known issuer.
    async fn verified_claims(
        &self,
        answer: &State,
        code: &AuthorizationCode,
        now: OffsetDateTime,
    ) -> Result<Option<State>, OAuth2Error> {
        let Some(known) = self.issuer().filter(|_| requests_id_token(self.oauth2())) else { return Ok(None) };
        let token = answer.get("id_token").and_then(|token| token.as_str()).ok_or(IdTokenError::Missing)?;
        let jws = Jws::parse(token).map_err(IdTokenError::from)?;
        let algorithm = jws.algorithm();
        check_announced(known, algorithm.name())?;
        let url = known.metadata.jwks_uri.as_deref().ok_or(IdTokenError::NoKeys)?;
        let keys = known.issuer.keys(url, &jws, self.outbound(), now).await?;
        let claims = jws.verify(&keys).map_err(IdTokenError::from)?;
        let expected = id_token::Expected {
            issuer: known.issuer.id(),
            client_id: &self.oauth2().client_id,
            nonce: code.nonce.as_deref(),
            access_token: access_token(answer),
            now,
        };
        id_token::check_claims(&claims, algorithm, &expected)?;
        Ok(Some(claims))
    }

    /// The userinfo, of the ID token's subject.
    async fn userinfo(
        &self,
        answer: &State,
        claims: Option<&State>,
        now: OffsetDateTime,
    ) -> Result<State, UserinfoError> {
        let endpoint = self.issuer().and_then(|known| known.metadata.userinfo_endpoint.as_deref());
        let found = match userinfo::fetch(endpoint, access_token(answer), self.outbound()).await? {
            Answered::Claims(claims) => claims,
            Answered::Signed(text) => self.signed_userinfo(&text, now).await?,
        };
        userinfo::check_subject(&found, claims.and_then(|claims| claims.get("sub")))?;
        Ok(found)
    }

    /// The claims of a signed userinfo answer, verified like an ID token.
    async fn signed_userinfo(&self, text: &str, now: OffsetDateTime) -> Result<State, UserinfoError> {
        let jws = Jws::parse(text)?;
        let known = self.issuer().ok_or(UserinfoError::Missing("issuer"))?;
        let url = known.metadata.jwks_uri.as_deref();
        let url = url.ok_or(UserinfoError::Missing("jwks_uri in the issuer's metadata"))?;
        let keys = known.issuer.keys(url, &jws, self.outbound(), now).await.map_err(UserinfoError::Keys)?;
        let claims = jws.verify(&keys)?;
        userinfo::check_signed(&claims, known.issuer.id(), &self.oauth2().client_id)?;
        Ok(claims)
    }
}

/// Refuses an algorithm that the issuer does not announce, if it announces any.
fn check_announced(known: &KnownIssuer, algorithm: &'static str) -> Result<(), IdTokenError> {
    match &known.metadata.id_token_signing_alg_values_supported {
        Some(announced) if !announced.iter().any(|name| name == algorithm) => Err(IdTokenError::Algorithm(algorithm)),
        _ => Ok(()),
    }
}

fn access_token(answer: &State) -> Option<&str> {
    answer.get("access_token").and_then(|token| token.as_str())
}
