//! Access tokens for programs.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, header},
};
use serde::{Deserialize, Serialize};

use super::{query::ApiQuery, selector::selector};
use crate::{
    app::AppHandle,
    web::{
        auth::{IntegrationAccess, require},
        error::{Problem, WebError},
    },
};
use jackfield_config::clock::rfc3339;
use jackfield_services::{
    accounts::Scope,
    grants::{AccessToken, GrantError},
    token_reads::TokenReadError,
};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct TokenQuery {
    grant: String,
    subject: String,
}

/// An access token. Never a refresh token.
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

/// `GET /api/0/organizations/{org}/integrations/{id}/token/?grant=NAME&subject=ID`: a fresh access
/// token; without a name that of the first grant. Scope `integrations:token`, which no role has.
pub(in crate::web) async fn token(
    State(app): State<AppHandle>,
    IntegrationAccess { access, grants }: IntegrationAccess,
    ApiQuery(TokenQuery { grant, subject }): ApiQuery<TokenQuery>,
) -> Result<([(HeaderName, &'static str); 1], Json<TokenOut>), WebError> {
    require(&access, Scope::IntegrationsToken)?;
    let which = selector(grant, subject)?;
    let fresh = app.token_reads.read(access.actor, grants, &which).await?;
    // RFC 6749 section 5.1.
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(TokenOut::new(fresh))))
}

impl TokenOut {
    fn new(fresh: AccessToken) -> Self {
        Self {
            access_token: fresh.access_token,
            token_type: fresh.token_type,
            expires_at: fresh.expires_at.and_then(rfc3339),
            scopes: fresh.scopes.granted,
            grant: fresh.name,
            subject: Some(fresh.subject).filter(|subject| !subject.is_empty()),
        }
    }
}

impl From<TokenReadError> for WebError {
    fn from(error: TokenReadError) -> Self {
        match error {
            TokenReadError::NotFound => Problem::NotFound.into(),
            TokenReadError::NoGrant => Problem::NoGrant.into(),
            TokenReadError::Grant(error) => error.into(),
            TokenReadError::Store(error) => error.into(),
        }
    }
}

impl From<GrantError> for WebError {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::NotFound => Problem::NoGrant.into(),
            GrantError::NeedsReauthentication(_) => Problem::NeedsReauthentication.into(),
            GrantError::Unavailable { retry_after, .. } => Problem::Unavailable.until(retry_after),
            GrantError::Store(error) => error.into(),
        }
    }
}
