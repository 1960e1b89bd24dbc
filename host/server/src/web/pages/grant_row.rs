//! A grant as a page shows it: whom it acts for, what it may do, whether it works. Never a token.

use time::OffsetDateTime;

use jackfield_config::clock::rfc3339;
use jackfield_services::{grants::Grant, integrations::Status};

/// One grant, in words.
pub(in crate::web) struct GrantView {
    /// Its name, and whom it acts for.
    pub(in crate::web) name: String,
    pub(in crate::web) subject: String,
    pub(in crate::web) scopes: Vec<String>,
    /// Asked for and not granted.
    pub(in crate::web) missing: Vec<String>,
    /// RFC 3339 in UTC.
    pub(in crate::web) expires_at: Option<String>,
    pub(in crate::web) needs_reauthentication: bool,
    /// What is or was wrong with it.
    pub(in crate::web) reason: Option<String>,
    /// Whether the service said that it ended it.
    pub(in crate::web) is_ended_by_service: bool,
    /// Whether it ended when grants got owners.
    pub(in crate::web) is_ended_by_upgrade: bool,
}

impl GrantView {
    pub(in crate::web) fn new(grant: Grant) -> Self {
        Self {
            needs_reauthentication: grant.needs_reauthentication(),
            is_ended_by_service: grant.is_ended_by_service(),
            is_ended_by_upgrade: grant.is_ended_by_upgrade(),
            missing: grant.scopes.missing().into_iter().map(str::to_owned).collect(),
            name: grant.name,
            subject: grant.subject,
            scopes: grant.scopes.granted,
            expires_at: grant.expires_at.map(text),
            reason: grant.reason,
        }
    }

    /// When the token expires. A grant that is over has no such time.
    pub(in crate::web) fn expires(&self) -> Option<&str> {
        self.expires_at.as_deref().filter(|_| !self.needs_reauthentication)
    }
}

fn text(at: OffsetDateTime) -> String {
    rfc3339(at).unwrap_or_default()
}

/// The status of an integration as people read it.
pub(in crate::web) const fn status_in_words(status: Status) -> &'static str {
    match status {
        Status::Active => "Working",
        Status::NeedsReauthentication => "Reconnect",
        Status::Orphaned => "Unavailable",
    }
}
