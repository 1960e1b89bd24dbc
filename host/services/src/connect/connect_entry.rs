//! What the audit log says of connect sessions.

use jackfield_store::{
    audit::{Action, Actor, Entry},
    connect_sessions::ConnectSession,
};

/// An entry that says which session, and for whom.
pub(super) fn note(entry: Entry, session: &ConnectSession) -> Entry {
    let entry = entry.detail("connect-session", session.id.to_string());
    match &session.terms.subject {
        Some(subject) => entry.detail("subject", subject.as_str()),
        None => entry,
    }
}

/// A session was made or ended.
pub(super) fn described(action: Action, by: Actor, session: &ConnectSession) -> Entry {
    let terms = &session.terms;
    let entry = note(Entry::new(action, by).organization(session.organization), session);
    let entry = match terms.integration {
        Some(integration) => entry.integration_id(integration),
        None => entry,
    };
    if terms.providers.is_empty() { entry } else { entry.detail("providers", terms.providers.clone()) }
}
