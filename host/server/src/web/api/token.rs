//! Tokens for machines.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderName, header},
};
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;

use super::integrations::parsed;
use crate::{
    app::AppHandle,
    web::{
        caller::{ApiAccess, require},
        error::{ApiError, NO_GRANT, WebError},
    },
};
use jackfield_services::{
    accounts::Scope,
    audit::{Action, Entry},
    grants::{AccessToken, GrantError, GrantSelector},
};
use jackfield_store::{IntegrationId, OrganizationId};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct TokenQuery {
    grant: String,
    subject: String,
}

/// A token that can be used, and nothing that gets another.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::web) struct TokenOut {
    access_token: String,
    token_type: String,
    /// RFC 3339 in UTC; `null`: the provider does not say.
    expires_at: Option<String>,
    scopes: Vec<String>,
    grant: String,
    /// External id of the identity it acts for; `null`: it acts for the integration.
    subject: Option<String>,
}

/// `GET /api/0/organizations/{org}/integrations/{id}/token/?grant=NAME&subject=ID`: an access token that will live a while, of the first
/// grant where none is named. Scope `integrations:token`, which no role has.
pub(in crate::web) async fn token(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id)): Path<(String, String)>,
    Query(TokenQuery { grant, subject }): Query<TokenQuery>,
) -> Result<([(HeaderName, &'static str); 1], Json<TokenOut>), ApiError> {
    require(&access, Scope::IntegrationsToken)?;
    let which = GrantSelector { name: grant, subject };
    let (organization, id) = (access.organization.id, parsed(&id)?);
    let fresh = match app.grants.access_token(organization, id, &which).await {
        Err(GrantError::NotFound) => return Err(absent(&app, organization, id).await?.into()),
        other => other?,
    };
    let entry = Entry::new(Action::TokenRead, access.actor).organization(organization).integration_id(id);
    app.audit.count(entry.grant(&fresh.name, &fresh.subject)).await?;
    // RFC 6749 section 5.1.
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(TokenOut::new(fresh))))
}

/// Whether it is the integration that is not there, or the grant. Asked only then: most reads find one.
async fn absent(app: &AppHandle, organization: OrganizationId, id: IntegrationId) -> Result<WebError, WebError> {
    let found = app.integrations.get(organization, id).await?;
    Ok(found.map_or(WebError::NotFound, |_| NO_GRANT))
}

impl TokenOut {
    fn new(fresh: AccessToken) -> Self {
        Self {
            access_token: fresh.access_token,
            token_type: fresh.token_type,
            expires_at: fresh.expires_at.and_then(|at| at.format(&Rfc3339).ok()),
            scopes: fresh.scopes.granted,
            grant: fresh.name,
            subject: Some(fresh.subject).filter(|subject| !subject.is_empty()),
        }
    }
}

impl From<GrantError> for WebError {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::NotFound => Self::NotFound,
            GrantError::NeedsReauthentication(_) => Self::NeedsReauthentication,
            GrantError::Unavailable { retry_after, .. } => Self::Unavailable { retry_after },
            GrantError::Store(error) => error.into(),
        }
    }
}
