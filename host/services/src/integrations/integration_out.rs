//! An integration as JSON, in the API and in the answer of a setup.

use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use jackfield_config::clock::rfc3339;
use jackfield_loader::{Field, FieldType};
use jackfield_store::{
    integrations::{self, Installed},
    subject::{Subject, Tags},
};

/// An integration as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationOut {
    /// Decimal text: JSON numbers lose precision in browsers.
    pub id: String,
    /// What people read.
    pub name: String,
    /// The provider.
    pub provider: ProviderOut,
    /// The account's id at the provider.
    pub external_id: String,
    /// The organization's own configuration of it. Of a secret, `true` where one is set, and never
    /// the secret.
    pub config: Map<String, Value>,
    /// When it was added to the organization, RFC 3339 in UTC.
    pub date_added: String,
    /// Whether it can be used.
    pub status: Status,
    /// The customer whom a program has connected it for; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// What a program has put on it, by key; absent if that is nothing.
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Since when the refresh of one of its tokens fails, RFC 3339 in UTC; absent if none does, and
    /// in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_failing_since: Option<String>,
}

/// Whether an integration can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It can.
    Active,
    /// The provider gives no further token: somebody must connect it again.
    NeedsReauthentication,
    /// Its provider is not loaded any more, or not configured.
    Orphaned,
}

/// A provider, as the API names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderOut {
    /// Id of the provider.
    pub id: String,
    /// What people read.
    pub name: String,
}

impl IntegrationOut {
    /// Shows a stored integration whose provider is there, with the fields of its configuration.
    /// Metadata never leaves the host.
    #[must_use]
    pub fn new(installed: Installed, provider_name: &str, fields: &[Field]) -> Self {
        let Installed { integration, link } = installed;
        Self {
            id: integration.id.to_string(),
            name: integration.name,
            provider: ProviderOut { id: integration.provider, name: provider_name.to_owned() },
            external_id: integration.external_id,
            config: without_secrets(&link.config, fields),
            date_added: rfc3339(link.date_added).unwrap_or_default(),
            status: link.status.into(),
            subject: link.subject,
            tags: link.tags,
            refresh_failing_since: None,
        }
    }

    /// The same with the time since when the refresh of one of its tokens fails.
    #[must_use]
    pub fn refresh_failing_since(self, since: Option<OffsetDateTime>) -> Self {
        Self { refresh_failing_since: since.and_then(rfc3339), ..self }
    }

    /// The same of one that nothing here can use, since its provider is not loaded or not
    /// configured.
    #[must_use]
    pub fn orphaned(self) -> Self {
        Self { status: Status::Orphaned, ..self }
    }
}

/// Only the provider says what is a secret: what it does not declare is not shown.
fn without_secrets(config: &Map<String, Value>, fields: &[Field]) -> Map<String, Value> {
    let shown = |field: &Field| {
        let value = config.get(&field.name)?;
        let is_secret = field.field_type == FieldType::Password;
        Some((field.name.clone(), if is_secret { Value::Bool(true) } else { value.clone() }))
    };
    fields.iter().filter_map(shown).collect()
}

impl From<integrations::Status> for Status {
    fn from(stored: integrations::Status) -> Self {
        match stored {
            integrations::Status::Active => Self::Active,
            integrations::Status::NeedsReauthentication => Self::NeedsReauthentication,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_secret_only_whether_one_is_set_is_shown_and_of_an_unknown_value_nothing() {
        let fields =
            [Field::text("name", "Name"), Field::new(FieldType::Password, "key", "Key"), Field::text("other", "Other")];
        let config = json!({"name": "n", "key": "hunter2", "gone": "perhaps a secret"});
        let config = config.as_object().cloned().unwrap_or_default();
        assert_eq!(Value::Object(without_secrets(&config, &fields)), json!({"name": "n", "key": true}));
        assert!(without_secrets(&config, &[]).is_empty());
    }
}
