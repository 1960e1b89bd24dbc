//! Setups of connect sessions: their start, and which setup of a browser a request is for.

use serde_json::Value;
use thiserror::Error;

use super::{
    refusal::Refusal,
    setup_owner::SetupOwner,
    setup_request::{Requester, SetupKey},
    setup_service::SetupService,
    signer::Signer,
    start::{Start, StartError},
};
use crate::{
    connect::{ConnectPrincipal, Holder},
    session::SessionKey,
};
use jackfield_loader::Request;
use jackfield_store::{StoreError, StoreResult, Tx, connect_sessions};

/// The parameter of an answer, and where a log-in notes it.
const STATE: &str = "state";

/// Most sessions of one browser that a request is compared with.
const MOST_HELD: i64 = 10;

/// Why a setup of a connect session does not start.
#[derive(Debug, Error)]
pub enum ConnectStartError {
    /// The session may not be used for that.
    #[error(transparent)]
    Refused(Refusal),
    /// The setup cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// A setup that a request may be for.
struct Candidate {
    key: SessionKey,
    by: Requester,
    text: String,
}

/// Starts a setup in a connect session, for who asks. Returns the absolute URL where it goes
/// on.
///
/// # Errors
/// When the session may not be used for that, or the setup cannot start.
pub async fn start_connected(
    service: &SetupService,
    session: &ConnectPrincipal,
    by: Requester,
    provider: &str,
) -> Result<String, ConnectStartError> {
    let organization = service.permission.check_requester(session, by, provider).map_err(|refusal| {
        refusal.log(provider);
        ConnectStartError::Refused(refusal)
    })?;
    let key = session.key().ok_or(StartError::Store(StoreError::Corrupt("the hash of a token")))?;
    let start = Start {
        session: &key,
        owner: SetupOwner::ConnectSession(session.session.id),
        organization: &organization,
        provider,
        integration: session.session.terms.integration,
        dialog: true,
        channel: None,
    };
    Ok(service.start(start).await?)
}

/// Whether a session has a setup of a provider under way.
///
/// # Errors
/// When the database fails.
pub async fn has_setup(service: &SetupService, session: &ConnectPrincipal, provider: &str) -> StoreResult<bool> {
    let Some(key) = session.key() else { return Ok(false) };
    let key = SetupKey { session: key, provider: provider.to_owned() };
    Ok(service.pending.peek(&key).await?.is_some())
}

/// Which setup of a browser a request is for: a person who is logged in can have one, and so
/// can each connect session that the browser holds. The answer of a service names one by its
/// state; any other request is for the one that was started last. `None`: that of the person,
/// or none.
///
/// # Errors
/// When the database fails.
pub async fn connected_setup(
    service: &SetupService,
    person: Option<&SessionKey>,
    holder: Holder,
    provider: &str,
    request: &Request,
) -> StoreResult<Option<(SessionKey, Requester)>> {
    let held = held_with_setup(service, holder, provider).await?;
    if held.is_empty() {
        return Ok(None);
    }
    let mut candidates = Vec::new();
    let persons = person.map(|key| (key.clone(), Requester::Person));
    for (session, by) in held.into_iter().map(|key| (key, Requester::Holder(holder))).chain(persons) {
        let key = SetupKey { session: session.clone(), provider: provider.to_owned() };
        if let Some(text) = service.pending.peek(&key).await? {
            candidates.push(Candidate { key: session, by, text });
        }
    }
    let chosen = chosen(candidates, request);
    Ok(chosen.filter(|chosen| chosen.by != Requester::Person).map(|Candidate { key, by, .. }| (key, by)))
}

async fn held_with_setup(service: &SetupService, holder: Holder, provider: &str) -> StoreResult<Vec<SessionKey>> {
    let provider = provider.to_owned();
    let read = move |tx: &mut Tx<'_>| connect_sessions::held_with_setup(tx, holder.as_bytes(), &provider, MOST_HELD);
    let found = service.store.read(read).await?;
    Ok(found.iter().filter_map(|session| SessionKey::stored(&session.token_hash)).collect())
}

/// What is read here only chooses: who gets a setup is checked when it is claimed.
fn chosen(candidates: Vec<Candidate>, request: &Request) -> Option<Candidate> {
    let answers = |candidate: &Candidate| {
        let asked = Signer::read(&candidate.text).and_then(|read| read.setup.state.get(STATE).cloned());
        request.query(STATE).is_some_and(|state| asked.as_ref().and_then(Value::as_str) == Some(state))
    };
    let started = |candidate: &Candidate| Signer::read(&candidate.text).map(|read| read.setup.started);
    let answered = candidates.iter().position(answers);
    let last = || candidates.iter().enumerate().max_by_key(|(_, candidate)| started(candidate)).map(|(at, _)| at);
    let at = answered.or_else(last)?;
    candidates.into_iter().nth(at)
}
