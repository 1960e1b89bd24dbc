//! The grants of an integration.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;

use super::integrations::parsed;
use crate::{
    app::AppHandle,
    web::{
        auth::{ApiAccess, require},
        error::{Problem, WebError},
    },
};
use jackfield_config::clock::rfc3339;
use jackfield_services::{accounts::Scope, grants::Grant};

/// The names of a grant, and what it may do. Never a token.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::web) struct GrantOut {
    name: String,
    /// External id of the identity it acts for; `null`: it acts for the integration.
    subject: Option<String>,
    scopes: Vec<String>,
    /// RFC 3339 in UTC; `null`: the provider does not say.
    expires_at: Option<String>,
}

/// `GET /api/0/organizations/{org}/integrations/{id}/grants/`: the grants of an integration. The
/// first is the default of the token endpoint and of the proxy.
pub(in crate::web) async fn grants(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<Vec<GrantOut>>, WebError> {
    require(&access, Scope::OrgRead)?;
    let organization = access.organization.id;
    let found = app.integrations.get(organization, parsed(&id)?).await?.ok_or(Problem::NotFound)?;
    let grants = app.grants.list(organization, found.integration.id).await?;
    Ok(Json(grants.into_iter().map(GrantOut::new).collect()))
}

impl GrantOut {
    fn new(grant: Grant) -> Self {
        Self {
            name: grant.name,
            subject: Some(grant.subject).filter(|subject| !subject.is_empty()),
            scopes: grant.scopes.granted,
            expires_at: grant.expires_at.and_then(rfc3339),
        }
    }
}
