//! What the audit log says of an identity that is unlinked.

use jackfield_store::{
    audit::{Action, Actor, Entry},
    identities::Identity,
};

/// An identity is a person's own, so the entry has no organization.
pub(super) fn identity_entry(actor: Actor, identity: &Identity) -> Entry {
    Entry::new(Action::IdentityUnlink, actor)
        .provider(&identity.identity_type)
        .external_id(&identity.external_id)
        .detail("identity", identity.id.to_string())
        .detail("instance", identity.instance.as_str())
}
