//! The integrations page: what is installed, and what may be added.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use serde::Deserialize;

use super::{
    access::status_in_words,
    answer::html,
    api::{Cursor, PER_PAGE, RevocationOut},
    assets,
    caller::{LoggedIn, PageAccess},
    error::{PageError, found},
    frame::{Frame, LeftNotice, framed},
    icons,
};
use crate::app::AppHandle;
use jackfield_loader::Provider;
use jackfield_services::{
    accounts::{Access, Scope},
    integrations::{IntegrationOut, Listing},
    setup::FEATURE,
};
use jackfield_store::integrations::Installed;

#[derive(Template)]
#[template(path = "integrations.html")]
struct IntegrationsPage {
    frame: Frame,
    slug: String,
    name: String,
    may_install: bool,
    may_read_log: bool,
    providers: Vec<AddProvider>,
    rows: Vec<Row>,
    given_up: Vec<GivenUp>,
    next: Option<String>,
    is_first: bool,
}

/// One provider of the "add" menu.
struct AddProvider {
    id: String,
    name: String,
    icon: String,
    width: u32,
    height: u32,
}

/// One installed integration.
struct Row {
    shown: IntegrationOut,
    icon: String,
    is_loaded: bool,
    added_by: Option<String>,
}

impl Row {
    fn status(&self) -> &str {
        status_in_words(&self.shown.status)
    }
}

/// What was given up and is not revoked.
struct GivenUp {
    id: &'static str,
    heading: &'static str,
    /// Whether nobody tries any more.
    is_over: bool,
    rows: Vec<RevocationOut>,
}

#[derive(Template)]
#[template(path = "no_organization.html")]
struct NoOrganizationPage {
    frame: Frame,
}

#[derive(Deserialize)]
pub(super) struct PageQuery {
    cursor: Option<String>,
}

/// `GET /`: to the first organization's page. What was left to say is shown there.
pub(super) async fn home(State(app): State<AppHandle>, user: Option<LoggedIn>) -> Result<Response, PageError> {
    let Some(LoggedIn(user)) = user else { return Ok(found("/auth/login/")) };
    match app.accounts.first_organization(user).await? {
        Some(organization) => Ok(found(&format!("/organizations/{}/integrations/", organization.slug))),
        None => Ok(html(&NoOrganizationPage { frame: Frame::default() })),
    }
}

/// `GET /organizations/{org}/integrations/`.
pub(super) async fn page(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    LeftNotice(notice): LeftNotice,
    Query(query): Query<PageQuery>,
) -> Result<Response, PageError> {
    let after = query.cursor.as_deref().map(Cursor::parse).transpose()?;
    let listing = app.integrations.list(access.organization.id, after, PER_PAGE).await?;
    let revocations = app.revocations.open(access.organization.id).await?;
    let had_notice = notice.is_some();
    let page = IntegrationsPage {
        given_up: given_up(revocations.iter().map(|revocation| RevocationOut::new(&app, revocation))),
        slug: access.organization.slug.clone(),
        name: access.organization.name.clone(),
        may_install: may_install(&app, &access),
        may_read_log: access.has(Scope::OrgWrite),
        providers: if may_install(&app, &access) { addable(&app) } else { Vec::new() },
        next: listing.next.as_ref().map(Cursor::text),
        rows: rows(&app, listing),
        is_first: query.cursor.is_none(),
        frame: Frame::of(access.organization, notice),
    };
    Ok(framed(&page, had_notice))
}

/// Whether this person is shown buttons that add and remove.
pub(super) fn may_install(app: &AppHandle, access: &Access) -> bool {
    access.has(Scope::OrgIntegrations) && app.features.is_on(FEATURE, &access.organization.slug)
}

fn rows(app: &AppHandle, listing: Listing) -> Vec<Row> {
    let Listing { rows, people, .. } = listing;
    let row = |installed: &Installed| {
        let shown = app.show(installed);
        let provider = app.plugins.find(&shown.provider.id);
        Row {
            icon: icons::url(provider.as_deref()),
            is_loaded: app.plugins.find_configured(&shown.provider.id).is_some(),
            added_by: installed.link.added_by.and_then(|user| people.get(&user).cloned()),
            shown,
        }
    };
    rows.iter().map(row).collect()
}

fn given_up(revocations: impl Iterator<Item = RevocationOut>) -> Vec<GivenUp> {
    let (over, open): (Vec<_>, Vec<_>) = revocations.partition(RevocationOut::is_over);
    let lists = [
        GivenUp { id: "leaving", heading: "Being revoked", is_over: false, rows: open },
        GivenUp { id: "unrevoked", heading: "Not revoked", is_over: true, rows: over },
    ];
    lists.into_iter().filter(|list| !list.rows.is_empty()).collect()
}

fn addable(app: &AppHandle) -> Vec<AddProvider> {
    let add = |provider: &Arc<Provider>| {
        let dialog = provider.dialog();
        AddProvider {
            id: provider.id().to_owned(),
            name: provider.name().to_owned(),
            icon: icons::url(Some(provider)),
            width: dialog.width,
            height: dialog.height,
        }
    };
    app.plugins.configured().iter().map(add).collect()
}
