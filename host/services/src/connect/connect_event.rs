//! What programs hear of a connect session.

use jackfield_store::{
    connect_sessions::ConnectSession,
    outgoing_events::{EventKind, NewEvent},
};

/// An event of a session, for whom it was made.
pub(super) fn event(session: &ConnectSession, kind: EventKind) -> NewEvent {
    let new = NewEvent::new(session.organization, kind).with("session", session.id.to_string());
    NewEvent { subject: session.terms.subject.clone(), tags: Some(session.terms.tags.clone()), ..new }
}
