//! The audit log's entries about the end of a setup.

use serde_json::json;

use super::{active::Setup, setup_owner::SetupOwner};
use crate::{
    audit::{Action, Actor, Entry},
    connect::ConnectPrincipal,
};
use jackfield_store::{IdentityId, organization_integrations::OrganizationIntegration, subject::Subject};

/// An entry about a setup of a person, whose name is looked up, or of a connect session: its actor
/// is who has made that, and the program's customer is named.
fn begun(action: Action, setup: &Setup, session: Option<&ConnectPrincipal>) -> Entry {
    match (setup.owner, session) {
        (SetupOwner::User(user), _) => Entry::new(action, Actor::user(user)),
        (SetupOwner::ConnectSession(_), Some(session)) => session.note(Entry::new(action, session.actor())),
        (SetupOwner::ConnectSession(_), None) => Entry::new(action, Actor::host()),
    }
}

/// An integration was stored: created, linked to one more organization, or installed anew.
pub(super) fn installed(by: Actor, is_new: bool, is_linked: bool) -> Entry {
    let action = match (is_new, is_linked) {
        (true, _) => Action::Install,
        (false, true) => Action::Link,
        (false, false) => Action::Reinstall,
    };
    Entry::new(action, by)
}

/// Whom it was connected for, with the tags, and whom until now if that was somebody else.
pub(super) fn connected_for(entry: Entry, link: &OrganizationIntegration, former: Option<&Subject>) -> Entry {
    let mut entry = entry;
    if let Some(subject) = &link.subject {
        entry = entry.detail("subject", subject.id());
    }
    if let Some(former) = former {
        entry = entry.detail("subject-before", former.id());
    }
    if !link.tags.is_empty() {
        entry = entry.detail("tags", json!(link.tags));
    }
    entry
}

/// The person has proved that an account at the service is theirs.
pub(super) fn identity_linked(by: Actor, identity: IdentityId, external_id: String) -> Entry {
    Entry::new(Action::IdentityLink, by).detail("identity", identity.to_string()).detail("subject", external_id)
}

/// The setup has ended without an integration. Without the message, in which a plugin may repeat
/// what a service has said. The log has all of it, under the setup's id.
pub(super) fn failed(
    setup: &Setup,
    session: Option<&ConnectPrincipal>,
    digest: &str,
    check: Option<&'static str>,
) -> Entry {
    let action = if setup.integration.is_some() { Action::Reinstall } else { Action::Install };
    let entry = begun(action, setup, session)
        .organization(setup.organization)
        .provider(&setup.provider)
        .plugin_digest(digest)
        .failed(check.unwrap_or("the setup ended without an integration"))
        .detail("setup", setup.nonce.as_str());
    match setup.integration {
        Some(integration) => entry.integration_id(integration),
        None => entry,
    }
}
