//! One integration: its details, its configuration, its removal.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{
    assets, audit_log,
    audit_row::AuditRow,
    flash::Flash,
    form_fields::{self, FieldView},
    grant_row::{GrantView, status_in_words},
    icons,
    integration_list::may_install,
    layout::{FlashCookie, Layout, render},
};
use crate::{
    app::AppHandle,
    web::{
        auth::{PageAccess, require},
        error::{Problem, WebError},
        health::file_names,
        plain_text::PlainForm,
        redirects::found,
        shown::shown,
    },
};
use jackfield_loader::Dialog;
use jackfield_services::{
    StoreResult,
    accounts::{Access, Scope},
    integrations::{Details, IntegrationId, IntegrationOut, NewConfig, Status},
    removals::Removed,
};

#[derive(Template)]
#[template(path = "integration_detail.html")]
struct IntegrationDetailPage {
    layout: Layout,
    slug: String,
    shown: IntegrationOut,
    icon: String,
    dialog: Dialog,
    may_install: bool,
    added_by: Option<String>,
    metadata: Vec<(String, Option<String>)>,
    is_readable: bool,
    grants: Vec<GrantView>,
    audit_rows: Vec<AuditRow>,
    fields: Vec<FieldView>,
    has_errors: bool,
    /// Plugins that are not running yet: the integration's may be one of them.
    not_ready: String,
}

impl IntegrationDetailPage {
    fn needs_reauthentication(&self) -> bool {
        self.shown.status == Status::NeedsReauthentication
    }

    /// Whose doing it is that it ended, as far as the first grant shows it.
    fn why_ended(&self) -> String {
        let provider = &self.shown.provider.name;
        match self.grants.first() {
            None => "This connection has ended.".to_owned(),
            Some(grant) if grant.is_ended_by_service => format!("{provider} ended this connection."),
            Some(grant) if grant.is_ended_by_upgrade => {
                format!(
                    "This connection ended when Jackfield was upgraded: {}.",
                    grant.reason.as_deref().unwrap_or_default()
                )
            }
            Some(_) => format!("{provider} no longer renews this connection."),
        }
    }

    fn is_loaded(&self) -> bool {
        self.shown.status != Status::Orphaned
    }

    fn status(&self) -> &'static str {
        status_in_words(self.shown.status)
    }
}

#[derive(Template)]
#[template(path = "remove.html")]
struct RemovePage {
    layout: Layout,
    slug: String,
    organization_name: String,
    shown: IntegrationOut,
}

/// What is in the form of the configuration, and what is wrong with it.
#[derive(Default)]
struct FormState {
    values: BTreeMap<String, String>,
    errors: BTreeMap<String, String>,
}

async fn details(app: &AppHandle, access: &Access, id: &str) -> Result<Details, WebError> {
    let id: IntegrationId = id.parse().map_err(|_| Problem::NotFound)?;
    Ok(app.integrations.details(access.organization.id, id).await?.ok_or(Problem::NotFound)?)
}

/// `GET /organizations/{org}/integrations/{id}/`: from the list.
pub(in crate::web) async fn page(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    FlashCookie(flash): FlashCookie,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, WebError> {
    let details = details(&app, &access, &id).await?;
    let form = FormState { values: form_fields::values(&details.installed.link.config), ..FormState::default() };
    let had_flash = flash.is_some();
    Ok(render(&detail_page(&app, access, details, flash, form).await?, had_flash))
}

async fn detail_page(
    app: &AppHandle,
    access: Access,
    details: Details,
    flash: Option<Flash>,
    form: FormState,
) -> StoreResult<IntegrationDetailPage> {
    let id = details.installed.integration.id;
    let grants = app.grants.list(access.organization.id, id).await?;
    let audit_rows = audit_log::latest(app, &access, id).await?;
    let shown = shown(app, details.installed.clone());
    let provider = app.plugins.find(&shown.provider.id);
    let declared = provider.as_ref().map(|provider| provider.config()).unwrap_or_default();
    Ok(IntegrationDetailPage {
        slug: access.organization.slug.clone(),
        icon: icons::url(provider.as_deref()),
        dialog: provider.as_ref().map(|provider| provider.dialog()).unwrap_or_default(),
        may_install: may_install(app, &access),
        added_by: details.added_by,
        metadata: details.metadata,
        is_readable: details.is_readable,
        audit_rows,
        grants: grants.into_iter().map(GrantView::new).collect(),
        fields: form_fields::views(declared, &form.values, &form.errors),
        has_errors: !form.errors.is_empty(),
        not_ready: file_names(&app.plugins.not_ready()),
        shown,
        layout: Layout::of(access.organization, flash),
    })
}

/// `POST /organizations/{org}/integrations/{id}/`: the form of the configuration.
pub(in crate::web) async fn configure(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    Path((_, id)): Path<(String, String)>,
    PlainForm(posted): PlainForm<Vec<(String, String)>>,
) -> Result<Response, WebError> {
    require(&access, Scope::OrgIntegrations)?;
    let details = details(&app, &access, &id).await?;
    let integration = &details.installed.integration;
    let provider = app.plugins.find(&integration.provider).ok_or(Problem::NotFound)?;
    match form_fields::read(provider.config(), &posted, &details.installed.link.config) {
        Ok(config) => save(&app, &access, integration.id, config).await,
        Err(errors) => {
            let stored = &details.installed.link.config;
            let values = form_fields::posted_values(provider.config(), posted, stored);
            let form = FormState { values, errors };
            let page = detail_page(&app, access, details, None, form).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, render(&page, false)).into_response())
        }
    }
}

async fn save(app: &AppHandle, access: &Access, id: IntegrationId, config: NewConfig) -> Result<Response, WebError> {
    if !app.integrations.configure(access.organization.id, id, config, access.actor.clone()).await? {
        return Err(Problem::NotFound.into());
    }
    let mut response = found(&format!("/organizations/{}/integrations/{id}/", access.organization.slug));
    Flash::saved().leave(&mut response);
    Ok(response)
}

/// `GET /organizations/{org}/integrations/{id}/remove/`: says what it will do, and asks.
pub(in crate::web) async fn confirm_removal(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, WebError> {
    require(&access, Scope::OrgIntegrations)?;
    let shown = shown(&app, details(&app, &access, &id).await?.installed);
    let page = RemovePage {
        slug: access.organization.slug.clone(),
        organization_name: access.organization.name.clone(),
        layout: Layout::of(access.organization, None),
        shown,
    };
    Ok(render(&page, false))
}

/// `POST /organizations/{org}/integrations/{id}/remove/`: the button there.
pub(in crate::web) async fn remove(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, WebError> {
    require(&access, Scope::OrgIntegrations)?;
    let id: IntegrationId = id.parse().map_err(|_| Problem::NotFound)?;
    let flash = match app.removals.remove_integration(access.organization.id, id, access.actor).await? {
        Removed::NotThere => return Err(Problem::NotFound.into()),
        Removed::StillShared => Flash::removed(),
        Removed::Gone(attempted) => Flash::after_revocation(attempted.as_ref()),
    };
    let mut response = found(&format!("/organizations/{}/integrations/", access.organization.slug));
    flash.leave(&mut response);
    Ok(response)
}
