//! The page of one endpoint: what was delivered to it, with each attempt, and what can be done.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    assets,
    flash::Flash,
    layout::{FlashCookie, Layout, render},
};
use crate::{
    app::AppHandle,
    web::{
        auth::{PageAccess, require},
        error::{Problem, WebError},
        redirects::found,
        request_origin::RequestOrigin,
    },
};
use jackfield_services::{
    accounts::{Access, Scope},
    outbox::{
        DeliveryListing, DeliveryOut, EndpointChangeIn, EndpointError, EndpointId, EndpointOut, EventId, RotateIn,
        TestedEndpoint,
    },
};

/// Deliveries on a page.
const PER_PAGE: usize = 50;

#[derive(Template)]
#[template(path = "endpoint_detail.html")]
struct EndpointDetailPage {
    layout: Layout,
    slug: String,
    endpoint: EndpointOut,
    /// The secret that was just rotated. It is shown here and never again.
    secret: Option<String>,
    tested: Option<TestedEndpoint>,
    rows: Vec<DeliveryOut>,
    is_first: bool,
    /// The query of the next page.
    next: Option<String>,
}

#[derive(Default, Deserialize)]
pub(in crate::web) struct DeliveriesQuery {
    cursor: Option<String>,
}

/// What differs between the answers of this page.
#[derive(Default)]
struct Shown {
    secret: Option<String>,
    tested: Option<TestedEndpoint>,
    flash: Option<Flash>,
    query: DeliveriesQuery,
}

/// `GET /organizations/{org}/endpoints/{id}/`: from the list of endpoints.
pub(in crate::web) async fn page(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    FlashCookie(flash): FlashCookie,
    Path((_, id)): Path<(String, String)>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Response, WebError> {
    let id = checked(&access, &id)?;
    let had_flash = flash.is_some();
    let shown = Shown { flash, query, ..Shown::default() };
    Ok(render(&shown.page(&app, access, id).await?, had_flash))
}

/// `POST /organizations/{org}/endpoints/{id}/{action}/`: a button there, `pause`, `enable`,
/// `rotate`, `test` or `remove`.
pub(in crate::web) async fn act(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    RequestOrigin(source): RequestOrigin,
    Path((_, id, action)): Path<(String, String, String)>,
) -> Result<Response, WebError> {
    let id = checked(&access, &id)?;
    let shown = match action.as_str() {
        "pause" | "enable" => {
            let status = if action == "pause" { "paused" } else { "enabled" };
            let change = EndpointChangeIn { status: Some(status.to_owned()), ..EndpointChangeIn::default() };
            app.endpoints.change(&access, id, change, &source).await?;
            return Ok(back(&access, &format!("{id}/"), Flash::saved()));
        }
        "remove" => {
            app.endpoints.remove(&access, id, &source).await?;
            return Ok(back(&access, "", Flash::endpoint_removed()));
        }
        "rotate" => {
            let rotated = app.endpoints.rotate(&access, id, RotateIn::default(), &source).await?;
            Shown { secret: Some(rotated.secret), ..Shown::default() }
        }
        "test" => Shown { tested: Some(app.endpoints.test(&access, id).await?), ..Shown::default() },
        _ => return Err(Problem::NotFound.into()),
    };
    Ok(render(&shown.page(&app, access, id).await?, false).into_response())
}

/// `POST /organizations/{org}/endpoints/{id}/deliveries/{event}/`: delivers one event once more.
pub(in crate::web) async fn redeliver(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    RequestOrigin(source): RequestOrigin,
    Path((_, id, event)): Path<(String, String, String)>,
) -> Result<Response, WebError> {
    let id = checked(&access, &id)?;
    app.endpoints.redeliver(&access, id, &event, &source).await?;
    Ok(back(&access, &format!("{id}/"), Flash::redelivered()))
}

fn checked(access: &Access, id: &str) -> Result<EndpointId, WebError> {
    require(access, Scope::OrgIntegrations)?;
    Ok(id.parse().map_err(|_| Problem::NotFound)?)
}

fn back(access: &Access, path: &str, flash: Flash) -> Response {
    let mut response = found(&format!("/organizations/{}/endpoints/{path}", access.organization.slug));
    flash.leave(&mut response);
    response
}

impl Shown {
    async fn page(self, app: &AppHandle, access: Access, id: EndpointId) -> Result<EndpointDetailPage, WebError> {
        let organization = access.organization.id;
        let before: Option<EventId> = self.query.cursor.as_deref().map(str::parse).transpose().map_err(|_| {
            let words = "The cursor is not valid.";
            Problem::BadRequest.because(words)
        })?;
        let is_first = before.is_none();
        let endpoint = app.endpoints.get(organization, id).await?.ok_or(EndpointError::NotFound)?;
        let listing = app.endpoints.deliveries(organization, id, before, PER_PAGE).await?;
        let DeliveryListing { rows, next } = listing;
        Ok(EndpointDetailPage {
            slug: access.organization.slug.clone(),
            layout: Layout::of(access.organization, self.flash),
            endpoint,
            secret: self.secret,
            tested: self.tested,
            rows,
            is_first,
            next: next.map(|next| format!("cursor={next}")),
        })
    }
}

/// A time as people read it: `2026-12-01, 12:30:05 UTC`.
fn in_words(rfc3339: &str) -> String {
    match (rfc3339.get(..10), rfc3339.get(11..19)) {
        (Some(day), Some(time)) => format!("{day}, {time} UTC"),
        _ => rfc3339.to_owned(),
    }
}

impl EndpointDetailPage {
    fn title(&self) -> &str {
        if self.endpoint.description.is_empty() { &self.endpoint.url } else { &self.endpoint.description }
    }
}
