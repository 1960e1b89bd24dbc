//! The API tokens of an organization, for its owners.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    app::AppHandle,
    web::{
        auth::{ApiAccess, require},
        error::{Problem, WebError},
        request_origin::RequestOrigin,
    },
};
use jackfield_services::{
    accounts::{Access, Administrator, ApiTokenId, ApiTokenOut, NewTokenIn, Scope, TokenError},
    request_source::RequestSource,
};

/// What a new token is to be. A key that is not known is refused: a mistyped `expiresAt` would
/// make a token that does not end.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::web) struct CreateIn {
    name: String,
    scopes: Vec<String>,
    integrations: Option<Vec<String>>,
    expires_at: Option<String>,
}

/// A token that was just made, with its text.
#[derive(Serialize)]
pub(in crate::web) struct CreatedOut {
    /// Shown here and never again.
    token: String,
    #[serde(flatten)]
    rest: ApiTokenOut,
}

/// `GET /api/0/organizations/{org}/tokens/`: all of them, in the order in which they were made.
pub(in crate::web) async fn tokens(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
) -> Result<Json<Vec<ApiTokenOut>>, WebError> {
    require(&access, Scope::OrgAdmin)?;
    let tokens = app.accounts.tokens().list(access.organization.id).await?;
    Ok(Json(tokens.into_iter().map(ApiTokenOut::from).collect()))
}

/// `POST /api/0/organizations/{org}/tokens/`: makes one, and shows its text.
pub(in crate::web) async fn create_token(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    RequestOrigin(source): RequestOrigin,
    body: Result<Json<CreateIn>, JsonRejection>,
) -> Result<(StatusCode, Json<CreatedOut>), WebError> {
    let by = owner(&access, source)?;
    let Json(body) = body.map_err(|rejection| unreadable(&rejection))?;
    let (token, made) = app.accounts.tokens().create(access.organization.id, body.checked()?, &by).await?;
    Ok((StatusCode::CREATED, Json(CreatedOut { token, rest: made.into() })))
}

/// `DELETE /api/0/organizations/{org}/tokens/{id}/`: from now on it opens nothing.
pub(in crate::web) async fn revoke_token(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    RequestOrigin(source): RequestOrigin,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, WebError> {
    let by = owner(&access, source)?;
    let id: ApiTokenId = id.parse().map_err(|_| Problem::NotFound)?;
    app.accounts.tokens().revoke(access.organization.id, id, &by).await?.ok_or(Problem::NotFound)?;
    Ok(StatusCode::NO_CONTENT)
}

fn owner(access: &Access, source: RequestSource) -> Result<Administrator, WebError> {
    require(access, Scope::OrgAdmin)?;
    let user = access.user.ok_or_else(|| WebError::missing_scope(Scope::OrgAdmin))?;
    Ok(Administrator::User(user, source))
}

impl CreateIn {
    fn checked(self) -> Result<NewTokenIn, WebError> {
        let scopes: Result<Vec<Scope>, String> = self.scopes.iter().map(|scope| scope.parse()).collect();
        let scopes = scopes.map_err(|known| bad(format!("There is no such scope; {known}.")))?;
        let ids = self.integrations.map(|ids| ids.iter().map(|id| id.parse()).collect::<Result<Vec<_>, _>>());
        let integrations = ids.transpose().map_err(|_| bad("The ids of integrations are numbers, as text."))?;
        let end = self.expires_at.map(|text| OffsetDateTime::parse(&text, &Rfc3339)).transpose();
        let expires_at = end.map_err(|_| bad("expiresAt is a time of RFC 3339, like 2027-01-31T00:00:00Z."))?;
        Ok(NewTokenIn { name: self.name, scopes, integrations, expires_at })
    }
}

fn bad(detail: impl Into<String>) -> WebError {
    Problem::BadRequest.because(detail.into())
}

fn unreadable(rejection: &JsonRejection) -> WebError {
    match Problem::of_status(rejection.status()) {
        Problem::BadRequest => bad(rejection.body_text()),
        other => other.into(),
    }
}

impl From<TokenError> for WebError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Store(error) => error.into(),
            error => bad(format!("The token is not made: {error}.")),
        }
    }
}
