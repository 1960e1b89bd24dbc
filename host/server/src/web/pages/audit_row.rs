//! A row of the audit log as people read it: who, what, on what, with what result.

use std::collections::HashMap;

use serde_json::Value;

use crate::{app::AppHandle, web::shown::provider_name};
use jackfield_services::audit::{Action, AuditOut, Row};

/// One row, in words.
pub(in crate::web) struct AuditRow {
    /// RFC 3339 in UTC.
    pub(in crate::web) date: String,
    pub(in crate::web) who: String,
    pub(in crate::web) what: String,
    /// What people call the provider.
    pub(in crate::web) provider: Option<String>,
    /// What the account is called, or was called.
    pub(in crate::web) account: Option<String>,
    /// Id of the integration, where it is still there.
    pub(in crate::web) integration: Option<String>,
    pub(in crate::web) result: String,
    /// How often.
    pub(in crate::web) count: i64,
    pub(in crate::web) details: Vec<(String, String)>,
}

/// The names of an organization's integrations, by id.
pub(in crate::web) type Names = HashMap<String, String>;

impl AuditRow {
    pub(in crate::web) fn new(app: &AppHandle, names: &Names, row: Row) -> Self {
        let row = AuditOut::from(row);
        let name = row.integration_id.as_ref().and_then(|id| names.get(id));
        Self {
            who: who(&row),
            what: row.action.parse().map_or_else(|_| row.action.clone(), |action| in_words(action).to_owned()),
            provider: row.provider.as_deref().map(|id| provider_name(app, id)),
            account: name.cloned().or(row.external_id),
            integration: row.integration_id.clone().filter(|_| name.is_some()),
            result: row.result,
            count: row.count,
            details: details(&row.detail),
            date: row.date,
        }
    }

    pub(in crate::web) fn is_good(&self) -> bool {
        self.result == "ok"
    }

    pub(in crate::web) fn result_in_words(&self) -> &str {
        match self.result.as_str() {
            "ok" => "Done",
            "failed" => "Failed",
            "refused" => "Refused",
            other => other,
        }
    }

    /// To the minute.
    pub(in crate::web) fn day_and_time(&self) -> (&str, &str) {
        (self.date.get(..10).unwrap_or_default(), self.date.get(11..16).unwrap_or_default())
    }
}

fn who(row: &AuditOut) -> String {
    let name = row.actor.name.clone();
    match (row.actor.kind.as_str(), name) {
        ("token", Some(name)) => format!("API token {name}"),
        ("provider", Some(name)) => format!("{name}, by a webhook"),
        (_, Some(name)) => name,
        ("operator", None) => "Operator".to_owned(),
        ("host", None) => "Jackfield".to_owned(),
        ("visitor", None) => "Somebody who is not logged in".to_owned(),
        (kind, None) => format!("a deleted {kind}"),
    }
}

fn details(detail: &Value) -> Vec<(String, String)> {
    let pairs = detail.as_object().into_iter().flatten();
    // `since` tells programs the minute of a count; people have the date of the row.
    let shown = pairs.filter(|(name, _)| *name != "since").map(|(name, value)| (name.replace('-', " "), plain(value)));
    shown.filter(|(_, value)| !value.is_empty()).collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Null => String::new(),
        Value::Bool(is) => if *is { "yes" } else { "no" }.to_owned(),
        other => other.to_string(),
    }
}

/// An action as people call it.
pub(in crate::web) const fn in_words(action: Action) -> &'static str {
    match action {
        Action::Install => "Connected",
        Action::Reinstall => "Reconnected",
        Action::Link => "Linked to this organization",
        Action::Unlink => "Removed",
        Action::IdentityLink => "Identity linked",
        Action::IdentityUnlink => "Identity unlinked",
        Action::RefreshFailure => "Token renewal",
        Action::TokenRead => "Token read",
        Action::ProxyUse => "API call",
        Action::Revoke => "Revocation",
        Action::KeyRotation => "Key rotation",
        Action::AuditKey => "Break in this log",
        Action::AuditCut => "Old entries of this log removed",
        Action::PluginLoad => "Plugin loaded",
        Action::ProviderAdoption => "Provider given to another plugin",
        Action::ConfigurationChange => "Configuration changed",
        Action::UserCreation => "User created",
        Action::OrganizationCreation => "Organization created",
        Action::MemberChange => "Membership changed",
        Action::TokenCreation => "API token created",
        Action::TokenRevocation => "API token revoked",
        Action::ConnectSessionCreation => "Connect link created",
        Action::ConnectSessionEnd => "Connect link ended",
        Action::EndpointCreation => "Endpoint created",
        Action::EndpointChange => "Endpoint changed",
        Action::EndpointRemoval => "Endpoint removed",
        Action::EndpointRotation => "Endpoint secret rotated",
        Action::EndpointDisabling => "Endpoint disabled",
        Action::Redelivery => "Events delivered again",
        Action::MemberRemoval => "Member removed",
        Action::OrganizationChange => "Organization renamed",
        Action::OrganizationRemoval => "Organization removed",
        Action::UserChange => "User changed",
        Action::UserRemoval => "User removed",
        Action::LogIn => "Log-in",
        Action::LogOut => "Log-out",
    }
}
