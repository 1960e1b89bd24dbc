//! What a page says of an integration's grants: whom each acts for, what it may do, whether it works. Never a token.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use jackfield_services::{grants::Grant, integrations::Status};

/// One grant, in words.
pub(super) struct DrawnGrant {
    /// Its name, and whom it acts for.
    pub(super) name: String,
    pub(super) subject: String,
    pub(super) scopes: Vec<String>,
    /// Asked for and not granted.
    pub(super) missing: Vec<String>,
    /// RFC 3339 in UTC.
    pub(super) expires_at: Option<String>,
    pub(super) needs_reauthentication: bool,
    /// What is, or was, the matter.
    pub(super) reason: Option<String>,
    /// Whether the service has told that it has ended it.
    pub(super) is_ended_by_service: bool,
}

impl DrawnGrant {
    pub(super) fn new(grant: Grant) -> Self {
        Self {
            needs_reauthentication: grant.needs_reauthentication(),
            is_ended_by_service: grant.is_ended_by_service(),
            missing: grant.scopes.missing().into_iter().map(str::to_owned).collect(),
            name: grant.name,
            subject: grant.subject,
            scopes: grant.scopes.granted,
            expires_at: grant.expires_at.map(text),
            reason: grant.reason,
        }
    }
}

impl DrawnGrant {
    /// Until when the token works; nobody minds that of a grant that is over.
    pub(super) fn living_until(&self) -> Option<&str> {
        self.expires_at.as_deref().filter(|_| !self.needs_reauthentication)
    }
}

fn text(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

/// A status of the API as people read it.
pub(super) const fn status_in_words(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::NeedsReauthentication => "needs re-authentication",
        Status::Orphaned => "orphaned",
    }
}
