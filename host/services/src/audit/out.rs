//! A row as JSON, in the API and in `jackfield audit list --json`.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::Row;
use jackfield_config::clock::rfc3339;
use jackfield_store::{audit::Cut, hex};

/// One entry. Ids are decimal text, since JSON numbers lose precision in browsers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "each field is the column of its name")]
pub struct AuditOut {
    pub id: String,
    /// RFC 3339 in UTC.
    pub date: String,
    pub action: String,
    pub actor: ActorOut,
    /// Its slug at that time.
    pub organization: Option<String>,
    pub provider: Option<String>,
    pub integration_id: Option<String>,
    pub external_id: Option<String>,
    pub plugin_digest: Option<String>,
    pub result: String,
    pub detail: Value,
    /// How often it happened.
    pub count: i64,
    /// In hex.
    pub hash: String,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActorOut {
    pub kind: String,
    pub id: Option<String>,
    /// The name at that time.
    pub name: Option<String>,
}

/// What retention has removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedOut {
    /// The last row that is gone.
    pub until: i64,
    /// What was written from then on is there. RFC 3339 in UTC.
    pub kept_since: String,
    /// When rows were last removed. RFC 3339 in UTC.
    pub date: String,
}

impl From<&Cut> for RemovedOut {
    fn from(cut: &Cut) -> Self {
        Self { until: cut.removed, kept_since: date(cut.kept_since), date: date(cut.date) }
    }
}

impl From<Row> for AuditOut {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.to_string(),
            date: date(row.date),
            action: row.action,
            actor: ActorOut { kind: row.actor_kind, id: row.actor_id.map(|id| id.to_string()), name: row.actor_name },
            organization: row.organization,
            provider: row.provider,
            integration_id: row.integration_id.map(|id| id.to_string()),
            external_id: row.external_id,
            plugin_digest: row.plugin_digest,
            result: row.result,
            detail: serde_json::from_str(&row.detail).unwrap_or(Value::Null),
            count: row.count,
            hash: hex(&row.hash),
        }
    }
}

fn date(milliseconds: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000);
    at.ok().and_then(rfc3339).unwrap_or_default()
}
