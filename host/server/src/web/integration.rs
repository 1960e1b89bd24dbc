//! One installed integration: its details, its configuration, its removal.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Form, Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};

use super::{
    access::{DrawnGrant, status_in_words},
    assets, audit,
    caller::{PageAccess, require},
    deeds::DrawnDeed,
    error::{PageError, WebError, found},
    fields::{self, DrawnField},
    frame::{Frame, LeftNotice, framed},
    icons,
    integrations::may_install,
    notice::Notice,
};
use crate::app::AppHandle;
use jackfield_loader::Dialog;
use jackfield_services::{
    accounts::{Access, Scope},
    integrations::{Details, IntegrationOut, Unlinked},
};
use jackfield_store::{
    IntegrationId, StoreResult,
    grants::{Grant, NEEDS_REAUTHENTICATION},
};

#[derive(Template)]
#[template(path = "integration.html")]
struct IntegrationPage {
    frame: Frame,
    slug: String,
    shown: IntegrationOut,
    icon: String,
    dialog: Dialog,
    is_loaded: bool,
    may_install: bool,
    added_by: Option<String>,
    metadata: Vec<(String, Option<String>)>,
    is_readable: bool,
    grants: Vec<DrawnGrant>,
    deeds: Vec<DrawnDeed>,
    fields: Vec<DrawnField>,
    has_errors: bool,
}

impl IntegrationPage {
    fn needs_reauthentication(&self) -> bool {
        self.shown.status == NEEDS_REAUTHENTICATION
    }

    /// Whether the service has ended it, and not only renews it no more. Where it has no grants there is nothing to renew.
    fn is_ended_by_service(&self) -> bool {
        self.grants.first().is_none_or(|grant| grant.is_ended_by_service)
    }

    fn status(&self) -> &str {
        if self.is_loaded { status_in_words(&self.shown.status) } else { "orphaned" }
    }
}

#[derive(Template)]
#[template(path = "remove.html")]
struct RemovePage {
    frame: Frame,
    slug: String,
    organization_name: String,
    shown: IntegrationOut,
}

async fn details(app: &AppHandle, access: &Access, id: &str) -> Result<Details, WebError> {
    let id: IntegrationId = id.parse().map_err(|_| WebError::NotFound)?;
    app.integrations.details(access.organization.id, id).await?.ok_or(WebError::NotFound)
}

/// `GET /organizations/{org}/integrations/{id}/`: from the list.
pub(super) async fn page(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    LeftNotice(notice): LeftNotice,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let details = details(&app, &access, &id).await?;
    let values = fields::values(&details.installed.link.config);
    let had_notice = notice.is_some();
    let beside = beside(&app, &access, details.installed.integration.id).await?;
    Ok(framed(&drawn(&app, access, details, beside, notice, values, BTreeMap::new()), had_notice))
}

/// What is shown beside an integration's own details.
struct Beside {
    grants: Vec<Grant>,
    deeds: Vec<DrawnDeed>,
}

async fn beside(app: &AppHandle, access: &Access, id: IntegrationId) -> StoreResult<Beside> {
    Ok(Beside { grants: app.grants.list(id).await?, deeds: audit::latest(app, access, id).await? })
}

fn drawn(
    app: &AppHandle,
    access: Access,
    details: Details,
    beside: Beside,
    notice: Option<Notice>,
    values: BTreeMap<String, String>,
    errors: BTreeMap<String, String>,
) -> IntegrationPage {
    let shown = app.show(&details.installed);
    let provider = app.plugins.find(&shown.provider.id);
    let declared = provider.as_ref().map(|provider| provider.config()).unwrap_or_default();
    IntegrationPage {
        slug: access.organization.slug.clone(),
        icon: icons::url(provider.as_deref()),
        dialog: provider.as_ref().map(|provider| provider.dialog()).unwrap_or_default(),
        is_loaded: app.plugins.find_configured(&shown.provider.id).is_some(),
        may_install: may_install(app, &access),
        added_by: details.added_by,
        metadata: details.metadata,
        is_readable: details.is_readable,
        deeds: beside.deeds,
        grants: beside.grants.into_iter().map(DrawnGrant::new).collect(),
        fields: fields::draw(declared, &values, &errors),
        has_errors: !errors.is_empty(),
        shown,
        frame: Frame::of(access.organization, notice),
    }
}

/// `POST /organizations/{org}/integrations/{id}/`: the configuration's form.
pub(super) async fn configure(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    Path((_, id)): Path<(String, String)>,
    Form(posted): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    require(&access, Scope::OrgIntegrations)?;
    let details = details(&app, &access, &id).await?;
    let integration = &details.installed.integration;
    let provider = app.plugins.find(&integration.provider).ok_or(WebError::NotFound)?;
    match fields::read(provider.config(), &posted) {
        Ok(config) => saved(&app, &access, integration.id, config).await,
        Err(errors) => {
            let values = posted.into_iter().collect();
            let beside = beside(&app, &access, integration.id).await?;
            let page = drawn(&app, access, details, beside, None, values, errors);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, framed(&page, false)).into_response())
        }
    }
}

async fn saved(
    app: &AppHandle,
    access: &Access,
    id: IntegrationId,
    config: Map<String, Value>,
) -> Result<Response, PageError> {
    if !app.integrations.configure(access.organization.id, id, config, access.actor.clone()).await? {
        return Err(WebError::NotFound.into());
    }
    let mut response = found(&format!("/organizations/{}/integrations/{id}/", access.organization.slug));
    Notice::saved().leave(&mut response);
    Ok(response)
}

/// `GET /organizations/{org}/integrations/{id}/remove/`: says what it will do, and asks.
pub(super) async fn ask_remove(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, PageError> {
    require(&access, Scope::OrgIntegrations)?;
    let shown = app.show(&details(&app, &access, &id).await?.installed);
    let page = RemovePage {
        slug: access.organization.slug.clone(),
        organization_name: access.organization.name.clone(),
        frame: Frame::of(access.organization, None),
        shown,
    };
    Ok(framed(&page, false))
}

/// `POST /organizations/{org}/integrations/{id}/remove/`: the answer to that.
pub(super) async fn remove(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, PageError> {
    require(&access, Scope::OrgIntegrations)?;
    let id: IntegrationId = id.parse().map_err(|_| WebError::NotFound)?;
    let notice = match app.integrations.remove(access.organization.id, id, access.actor).await? {
        Unlinked::NotThere => return Err(WebError::NotFound.into()),
        Unlinked::StillShared => Notice::removed(),
        Unlinked::Removed(revocation) => Notice::given_up(app.revocations.revoke_now(revocation).await.as_ref()),
    };
    let mut response = found(&format!("/organizations/{}/integrations/", access.organization.slug));
    notice.leave(&mut response);
    Ok(response)
}
