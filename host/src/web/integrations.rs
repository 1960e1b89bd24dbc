//! The integrations page.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use serde::Deserialize;

use super::{
    answer::html,
    api::{Cursor, PER_PAGE},
    assets,
    caller::{LoggedIn, PageAccess, require},
    error::{PageError, WebError, found},
};
use crate::{accounts::Scope, app::AppHandle, integrations::IntegrationOut, pipeline::FEATURE, store::IntegrationId};

#[derive(Template)]
#[template(path = "integrations.html")]
struct IntegrationsPage {
    organization_slug: String,
    organization_name: String,
    may_install: bool,
    providers: Vec<AddProvider>,
    integrations: Vec<IntegrationOut>,
    next: Option<String>,
}

/// One provider of the "add" list.
struct AddProvider {
    id: String,
    name: String,
    width: u32,
    height: u32,
}

#[derive(Template)]
#[template(path = "no_organization.html")]
struct NoOrganizationPage;

#[derive(Deserialize)]
pub(super) struct PageQuery {
    cursor: Option<String>,
}

/// `GET /`: to the first organization's page.
pub(super) async fn home(State(app): State<AppHandle>, user: Option<LoggedIn>) -> Result<Response, PageError> {
    let Some(LoggedIn(user)) = user else { return Ok(found("/auth/login/")) };
    match app.accounts.first_organization(user).await? {
        Some(organization) => Ok(found(&format!("/organizations/{}/integrations/", organization.slug))),
        None => Ok(html(&NoOrganizationPage)),
    }
}

/// `GET /organizations/{org}/integrations/`: what is installed, and what may be added.
pub(super) async fn page(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    Query(query): Query<PageQuery>,
) -> Result<Response, PageError> {
    let after = query.cursor.as_deref().map(Cursor::parse).transpose()?;
    let listing = app.integrations.list(access.organization.id, after, PER_PAGE).await?;
    let slug = &access.organization.slug;
    let may_install = access.has(Scope::OrgIntegrations) && app.features.is_on(FEATURE, slug);
    Ok(html(&IntegrationsPage {
        may_install,
        providers: if may_install { addable(&app) } else { Vec::new() },
        integrations: listing.rows.iter().map(|row| app.show(row)).collect(),
        next: listing.next.as_ref().map(Cursor::text),
        organization_name: access.organization.name,
        organization_slug: access.organization.slug,
    }))
}

fn addable(app: &AppHandle) -> Vec<AddProvider> {
    let add = |provider: &std::sync::Arc<crate::plugins::Provider>| {
        let dialog = provider.dialog();
        AddProvider {
            id: provider.id().to_owned(),
            name: provider.name().to_owned(),
            width: dialog.width,
            height: dialog.height,
        }
    };
    app.plugins.configured().map(add).collect()
}

/// `POST /organizations/{org}/integrations/{id}/remove/`: the button in the list.
pub(super) async fn remove(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    Path((_, id)): Path<(String, IntegrationId)>,
) -> Result<Response, PageError> {
    require(&access, Scope::OrgIntegrations)?;
    if !app.integrations.remove(access.organization.id, id).await? {
        return Err(WebError::NotFound.into());
    }
    Ok(found(&format!("/organizations/{}/integrations/", access.organization.slug)))
}
