//! A token as JSON, in the API and in `jackfield token list --json`.

use serde::Serialize;

use jackfield_config::clock::rfc3339;
use jackfield_store::api_tokens::ApiToken;

/// A token, without its text. Ids are decimal text, and times RFC 3339 in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiTokenOut {
    /// Id, by which it is revoked.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Its first characters; `None` for an older one.
    pub hint: Option<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Ids of the only integrations that it opens; `None`: all.
    pub integrations: Option<Vec<String>>,
    /// Who made it: an e-mail address or `operator`; `None` for an older one.
    pub created_by: Option<String>,
    /// When it was made.
    pub date_added: Option<String>,
    /// When it ends; `None`: not by itself.
    pub expires_at: Option<String>,
    /// When it was last used, to the minute; `None`: never, or not since that is stored.
    pub last_used_at: Option<String>,
}

impl From<ApiToken> for ApiTokenOut {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name,
            hint: token.hint,
            scopes: token.scopes,
            integrations: token.integrations.map(|ids| ids.iter().map(ToString::to_string).collect()),
            created_by: token.created_by,
            date_added: rfc3339(token.date_added),
            expires_at: token.expires_at.and_then(rfc3339),
            last_used_at: token.last_used_at.and_then(rfc3339),
        }
    }
}
