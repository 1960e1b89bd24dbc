//! The proof `log-in`: the person logs in at an issuer (OpenID Connect), which says that they are
//! the session's subject. The browser that began the log-in holds the session then.

use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use thiserror::Error;
use url::Url;

use super::{connect_principal::ConnectPrincipal, connect_service::ConnectSessions, holder::Holder, link::Hold};
use jackfield_config::ConnectIssuer;
use jackfield_loader::{OAuth2, Request};
use jackfield_oauth2::{DiscoveryError, LoginOutcome, OAuth2Error};
use jackfield_store::{
    ConnectSessionId, StoreError, StoreResult, Tx,
    connect_sessions::{self, ConnectData, ConnectProof},
    hex,
    subject::Subject,
};

/// Most log-ins of a session that are under way: one of each browser.
const MOST: usize = 4;
/// Separates the random part of a state from the session's id.
const SEPARATOR: char = '.';
/// Where the state of the log-in stands, for `jackfield-oauth2`.
const STATE: &str = "state";
const CLAIMS: &str = "id_token_claims";
/// Where the text of the link stands beside it: the browser is led back to it.
const TOKEN: &str = "token";

/// Why a log-in proves nothing.
#[derive(Debug, Error)]
pub enum LogInError {
    /// There is none under way that the answer is for.
    #[error("no log-in of this browser is under way")]
    NoneUnderWay,
    /// The issuer is not configured any more.
    #[error("the issuer is not configured")]
    NoIssuer,
    /// The issuer cannot be reached, or does not say how to log in.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The issuer's answer is not good.
    #[error(transparent)]
    Refused(#[from] OAuth2Error),
    /// The person is somebody else.
    #[error("the person is not the subject")]
    OtherPerson,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A log-in that went well.
pub struct LoggedIn {
    /// Whether the browser holds the session now.
    pub hold: Hold,
    /// The text of the link.
    pub token: String,
}

/// Log-ins for connect sessions.
pub struct SubjectLogIns {
    sessions: ConnectSessions,
}

impl SubjectLogIns {
    /// Of these sessions.
    #[must_use]
    pub const fn new(sessions: ConnectSessions) -> Self {
        Self { sessions }
    }

    /// Begins a log-in of a browser. Returns where the person goes. `token` is the text of the
    /// link, `back` the host's redirect URI at issuers.
    ///
    /// # Errors
    /// When the issuer cannot be asked.
    pub async fn begin(
        &self,
        session: &ConnectPrincipal,
        holder: Holder,
        token: &str,
        back: &str,
    ) -> Result<String, LogInError> {
        let terms = &session.session.terms;
        if terms.proof != ConnectProof::LogIn {
            return Err(LogInError::NoneUnderWay);
        }
        let oauth2 = self.client_of(terms.issuer.as_deref())?;
        let server = self
            .sessions
            .log_in
            .issuers
            .server(&oauth2, &self.sessions.log_in.outbound, self.sessions.store.now())
            .await?;
        let mut state = Map::new();
        let LoginOutcome::Redirect(url) = server.log_in(&Request::new("GET", back), &mut state).await? else {
            return Err(LogInError::NoneUnderWay);
        };
        let url = with_session(&url, &mut state, session.session.id).ok_or(LogInError::NoneUnderWay)?;
        state.insert(TOKEN.to_owned(), token.into());
        let (id, key) = (session.session.id, hex(holder.as_bytes()));
        let note = move |tx: &mut Tx<'_>| {
            let Some(session) = connect_sessions::lock(tx, id)? else { return Ok(()) };
            let mut data = session.data(tx)?;
            if data.log_in.len() >= MOST && !data.log_in.contains_key(&key) {
                data.log_in.clear();
            }
            data.log_in.insert(key, Value::Object(state));
            connect_sessions::set_data(tx, &session, &data)
        };
        self.sessions.store.write(note).await?;
        Ok(url)
    }

    /// Ends the log-in that a request answers. If the person is the session's subject, the browser
    /// holds it.
    ///
    /// # Errors
    /// When the answer proves nothing.
    pub async fn end(&self, holder: Holder, request: &Request) -> Result<LoggedIn, LogInError> {
        let id = request.query(STATE).and_then(session_of).ok_or(LogInError::NoneUnderWay)?;
        let key = hex(holder.as_bytes());
        let (session, mut state) =
            self.sessions.store.write(move |tx| take(tx, id, &key)).await?.ok_or(LogInError::NoneUnderWay)?;
        let terms = &session.session.terms;
        let token = state.remove(TOKEN).and_then(|token| token.as_str().map(str::to_owned)).unwrap_or_default();
        let oauth2 = self.client_of(terms.issuer.as_deref())?;
        let now = self.sessions.store.now();
        let server = self.sessions.log_in.issuers.server(&oauth2, &self.sessions.log_in.outbound, now).await?;
        server.callback("log-in", request, &mut state, now).await?;
        let subject = state.get(CLAIMS).and_then(|claims| claims.get("sub")).and_then(Value::as_str);
        if subject.is_none() || subject != terms.subject.as_ref().map(Subject::id) {
            return Err(LogInError::OtherPerson);
        }
        Ok(LoggedIn { hold: self.sessions.give_to(id, holder).await?, token })
    }

    fn client_of(&self, issuer: Option<&str>) -> Result<OAuth2, LogInError> {
        let known = self.sessions.log_in.configured.iter().find(|known| Some(known.issuer.as_str()) == issuer);
        let ConnectIssuer { issuer, client_id, client_secret } = known.ok_or(LogInError::NoIssuer)?;
        let oauth2 = OAuth2::discover(issuer.as_str()).client(client_id.as_str(), client_secret.expose_secret());
        Ok(oauth2.scopes(["openid"]))
    }
}

/// Takes the state of a browser's log-in, which is used up, of a session that can be used.
fn take(
    tx: &mut Tx<'_>,
    id: ConnectSessionId,
    key: &str,
) -> StoreResult<Option<(ConnectPrincipal, Map<String, Value>)>> {
    let Some(principal) = ConnectPrincipal::locked(tx, id)? else { return Ok(None) };
    let mut data = principal.session.data(tx)?;
    let Some(Value::Object(state)) = data.log_in.remove(key) else { return Ok(None) };
    connect_sessions::set_data(tx, &principal.session, &ConnectData { ..data })?;
    Ok(principal.check_open().is_ok().then_some((principal, state)))
}

/// The authorization request with the session's id behind its state: one redirect URI serves all
/// sessions.
fn with_session(url: &str, state: &mut Map<String, Value>, id: ConnectSessionId) -> Option<String> {
    let value = format!("{}{SEPARATOR}{id}", state.get(STATE)?.as_str()?);
    let mut url = Url::parse(url).ok()?;
    let others: Vec<(String, String)> = url.query_pairs().into_owned().filter(|(name, _)| name != STATE).collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair(STATE, &value);
    state.insert(STATE.to_owned(), value.into());
    Some(url.into())
}

fn session_of(state: &str) -> Option<ConnectSessionId> {
    state.rsplit_once(SEPARATOR)?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_log_in_names_its_session() {
        let mut state = Map::from_iter([(STATE.to_owned(), "abc".into())]);
        let id: ConnectSessionId = "7".parse().expect("an id");
        let url = with_session("https://login.example/authorize?a=b&state=abc&c=d", &mut state, id);
        assert_eq!(url.as_deref(), Some("https://login.example/authorize?a=b&c=d&state=abc.7"));
        assert_eq!((state[STATE].as_str(), session_of("abc.7")), (Some("abc.7"), Some(id)));
        assert_eq!((session_of("abc"), session_of("abc.x")), (None, None));
    }
}
