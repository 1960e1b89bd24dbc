//! The endpoints of an organization: where its programs are told of events.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{cursor::per_page, integrations::next_link, query::ApiQuery};
use crate::{
    app::AppHandle,
    web::{
        auth::{ApiAccess, require},
        error::{Problem, WebError},
        request_origin::RequestOrigin,
    },
};
use jackfield_services::{
    accounts::{Access, Scope},
    outbox::{
        CreatedEndpoint, DeliveryOut, EndpointChangeIn, EndpointError, EndpointId, EndpointIn, EndpointOut, EventId,
        RedeliverIn, RotateIn, RotatedSecret, TestedEndpoint,
    },
};

#[derive(Deserialize)]
pub(in crate::web) struct DeliveriesQuery {
    cursor: Option<String>,
    per_page: Option<String>,
}

/// How much is delivered once more.
#[derive(Serialize)]
pub(in crate::web) struct RedeliveredOut {
    count: usize,
}

/// A body of JSON, or what is wrong with it.
type Body<T> = Result<Json<T>, JsonRejection>;

/// `GET /api/0/organizations/{org}/endpoints/`: all of them.
pub(in crate::web) async fn endpoints(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
) -> Result<Json<Vec<EndpointOut>>, WebError> {
    check_access(&access)?;
    Ok(Json(app.endpoints.list(access.organization.id).await?))
}

/// `POST /api/0/organizations/{org}/endpoints/`: makes one, and shows its secret.
pub(in crate::web) async fn create_endpoint(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    RequestOrigin(source): RequestOrigin,
    body: Body<EndpointIn>,
) -> Result<(StatusCode, Json<CreatedEndpoint>), WebError> {
    check_access(&access)?;
    let made = app.endpoints.create(&access, read(body)?, &source).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// `GET /api/0/organizations/{org}/endpoints/{id}/`: one of them.
pub(in crate::web) async fn endpoint(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<EndpointOut>, WebError> {
    check_access(&access)?;
    let found = app.endpoints.get(access.organization.id, parsed(&id)?).await?;
    Ok(Json(found.ok_or(Problem::NotFound)?))
}

/// `PATCH /api/0/organizations/{org}/endpoints/{id}/`: changes it, pauses it, or enables it again.
pub(in crate::web) async fn change_endpoint(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    RequestOrigin(source): RequestOrigin,
    Path((_, id)): Path<(String, String)>,
    body: Body<EndpointChangeIn>,
) -> Result<Json<EndpointOut>, WebError> {
    check_access(&access)?;
    Ok(Json(app.endpoints.change(&access, parsed(&id)?, read(body)?, &source).await?))
}

/// `DELETE /api/0/organizations/{org}/endpoints/{id}/`: removes it, with its deliveries.
pub(in crate::web) async fn remove_endpoint(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    RequestOrigin(source): RequestOrigin,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, WebError> {
    check_access(&access)?;
    app.endpoints.remove(&access, parsed(&id)?, &source).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/0/organizations/{org}/endpoints/{id}/rotate/`: a new secret, which is shown.
pub(in crate::web) async fn rotate_endpoint(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    RequestOrigin(source): RequestOrigin,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body<RotateIn>,
) -> Result<Json<RotatedSecret>, WebError> {
    check_access(&access)?;
    let asked = if headers.contains_key(header::CONTENT_TYPE) { read(body)? } else { RotateIn::default() };
    Ok(Json(app.endpoints.rotate(&access, parsed(&id)?, asked, &source).await?))
}

/// `POST /api/0/organizations/{org}/endpoints/{id}/test/`: sends it a test, and shows the answer.
pub(in crate::web) async fn test_endpoint(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<TestedEndpoint>, WebError> {
    check_access(&access)?;
    Ok(Json(app.endpoints.test(&access, parsed(&id)?).await?))
}

/// `GET /api/0/organizations/{org}/endpoints/{id}/deliveries/`: newest first, in pages.
pub(in crate::web) async fn deliveries(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id)): Path<(String, String)>,
    ApiQuery(query): ApiQuery<DeliveriesQuery>,
) -> Result<(HeaderMap, Json<Vec<DeliveryOut>>), WebError> {
    check_access(&access)?;
    let id = parsed(&id)?;
    let per_page = per_page(query.per_page.as_deref())?;
    let before: Option<EventId> = query.cursor.as_deref().map(str::parse).transpose().map_err(|_| bad_cursor())?;
    let listing = app.endpoints.deliveries(access.organization.id, id, before, per_page).await?;
    let mut headers = HeaderMap::new();
    if let Some(next) = listing.next {
        let path = format!("/api/0/organizations/{}/endpoints/{id}/deliveries/?", access.organization.slug);
        headers.insert(header::LINK, next_link(&app.url_prefix.absolute(&path), &next.to_string(), per_page));
    }
    Ok((headers, Json(listing.rows)))
}

/// `POST /api/0/organizations/{org}/endpoints/{id}/deliveries/{event}/redeliver/`: once more.
pub(in crate::web) async fn redeliver(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    RequestOrigin(source): RequestOrigin,
    Path((_, id, event)): Path<(String, String, String)>,
) -> Result<StatusCode, WebError> {
    check_access(&access)?;
    app.endpoints.redeliver(&access, parsed(&id)?, &event, &source).await?;
    Ok(StatusCode::ACCEPTED)
}

/// `POST /api/0/organizations/{org}/endpoints/{id}/redeliver/`: all since a time once more.
pub(in crate::web) async fn redeliver_since(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    RequestOrigin(source): RequestOrigin,
    Path((_, id)): Path<(String, String)>,
    body: Body<RedeliverIn>,
) -> Result<(StatusCode, Json<RedeliveredOut>), WebError> {
    check_access(&access)?;
    let count = app.endpoints.redeliver_since(&access, parsed(&id)?, read(body)?, &source).await?;
    Ok((StatusCode::ACCEPTED, Json(RedeliveredOut { count })))
}

/// Whoever may remove integrations decides who is told of them.
fn check_access(access: &Access) -> Result<(), WebError> {
    require(access, Scope::OrgIntegrations)
}

fn parsed(id: &str) -> Result<EndpointId, WebError> {
    Ok(id.parse().map_err(|_| Problem::NotFound)?)
}

fn bad_cursor() -> WebError {
    Problem::BadRequest.because("The cursor is not valid.")
}

fn read<T: DeserializeOwned>(body: Body<T>) -> Result<T, WebError> {
    let Json(asked) = body.map_err(|rejection| match Problem::of_status(rejection.status()) {
        Problem::BadRequest => Problem::BadRequest.because(rejection.body_text()),
        other => other.into(),
    })?;
    Ok(asked)
}

impl From<EndpointError> for WebError {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Store(error) => error.into(),
            EndpointError::Invalid(words) => Problem::BadRequest.because(words),
            EndpointError::NotFound => Problem::NotFound.into(),
            EndpointError::Configured => Problem::EndpointConfigured.into(),
            EndpointError::Disabled => Problem::EndpointDisabled.into(),
            EndpointError::TooMany => Problem::TooManyEndpoints.into(),
        }
    }
}
