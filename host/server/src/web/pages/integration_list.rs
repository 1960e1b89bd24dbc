//! The integrations page: what is installed, and what may be added.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Query, RawQuery, State},
    response::Response,
};
use serde::Deserialize;

use super::{
    assets,
    grant_row::status_in_words,
    icons,
    layout::{FlashCookie, Layout, render},
};
use crate::{
    app::AppHandle,
    web::{
        api::{Cursor, PER_PAGE, RevocationOut, search_in, search_parameters},
        auth::{LoggedIn, PageAccess},
        error::WebError,
        health::file_names,
        html::html,
        redirects::found,
        shown::shown,
    },
};
use jackfield_loader::Provider;
use jackfield_services::{
    accounts::{Access, Scope},
    integrations::{Installed, IntegrationOut, Listing, Search, Status},
    setup::Refusal,
};

/// Fewer integrations than this are seen at a glance.
const SEARCHED_FROM: usize = 8;

impl IntegrationListPage {
    /// The subject and the tags that the list is narrowed down to.
    fn narrowed_to(&self) -> Vec<(&str, &str)> {
        let subject = self.search.subject.as_deref().map(|subject| ("Subject", subject));
        let tags = self.search.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        subject.into_iter().chain(tags).collect()
    }

    /// Whether people can search: not where all is seen at a glance.
    fn has_search(&self) -> bool {
        self.rows.len() >= SEARCHED_FROM || self.next.is_some() || !self.is_first || !self.search.is_empty()
    }
}

#[derive(Template)]
#[template(path = "integration_list.html")]
struct IntegrationListPage {
    layout: Layout,
    slug: String,
    name: String,
    may_install: bool,
    /// Whether adding integrations is turned off.
    is_turned_off: bool,
    may_read_log: bool,
    providers: Vec<AddProvider>,
    rows: Vec<IntegrationRow>,
    revocations: Vec<RevocationList>,
    /// What the list is searched for.
    search: Search,
    /// The query of the next page.
    next: Option<String>,
    is_first: bool,
    /// Plugins that are not running yet.
    not_ready: String,
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
struct IntegrationRow {
    shown: IntegrationOut,
    icon: String,
    added_by: Option<String>,
}

impl IntegrationRow {
    /// Where the list has only what was connected for the same subject; nothing without one.
    fn subject_query(&self) -> Option<(String, &str)> {
        let subject = self.shown.subject.as_ref()?;
        let search = Search { subject: Some(subject.id().to_owned()), ..Search::default() };
        let query = search_parameters(&search).trim_end_matches('&').to_owned();
        Some((query, subject.name().unwrap_or(subject.id())))
    }

    fn is_active(&self) -> bool {
        self.shown.status == Status::Active
    }

    fn status(&self) -> &'static str {
        status_in_words(self.shown.status)
    }
}

/// Revocations that are not done.
struct RevocationList {
    id: &'static str,
    heading: &'static str,
    /// Whether nobody tries any more.
    is_over: bool,
    rows: Vec<RevocationOut>,
}

#[derive(Template)]
#[template(path = "no_organization.html")]
struct NoOrganizationPage {
    layout: Layout,
}

#[derive(Deserialize)]
pub(in crate::web) struct PageQuery {
    cursor: Option<String>,
}

/// `GET /`: to the first organization's page. A flash message stays for that page.
pub(in crate::web) async fn home(State(app): State<AppHandle>, user: Option<LoggedIn>) -> Result<Response, WebError> {
    let Some(LoggedIn(user)) = user else { return Ok(found("/auth/login/")) };
    match app.accounts.first_organization(user).await? {
        Some(organization) => Ok(found(&format!("/organizations/{}/integrations/", organization.slug))),
        None => Ok(html(&NoOrganizationPage { layout: Layout::default() })),
    }
}

/// `GET /organizations/{org}/integrations/`.
pub(in crate::web) async fn page(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    FlashCookie(flash): FlashCookie,
    Query(query): Query<PageQuery>,
    RawQuery(raw): RawQuery,
) -> Result<Response, WebError> {
    let after = query.cursor.as_deref().map(Cursor::parse).transpose()?;
    let (organization, search) = (access.organization.id, search_in(raw.as_deref())?);
    let listing = if search.is_empty() {
        app.integrations.list(organization, after, PER_PAGE).await?
    } else {
        app.integrations.search(organization, None, &search, after, PER_PAGE).await?
    };
    let revocations = app.revocations.unrevoked_of(access.organization.id).await?;
    let may_set_up = app.setups.may_set_up(&access);
    let may_install = may_set_up.is_ok();
    let had_flash = flash.is_some();
    let page = IntegrationListPage {
        revocations: revocation_lists(revocations.iter().map(|revocation| RevocationOut::new(&app, revocation))),
        slug: access.organization.slug.clone(),
        name: access.organization.name.clone(),
        may_install,
        is_turned_off: may_set_up == Err(Refusal::FeatureOff),
        may_read_log: access.has(Scope::OrgWrite),
        providers: if may_install { addable(&app) } else { Vec::new() },
        next: listing.next.as_ref().map(|next| format!("{}cursor={}", search_parameters(&search), Cursor::text(next))),
        search,
        rows: rows(&app, listing),
        is_first: query.cursor.is_none(),
        not_ready: file_names(&app.plugins.not_ready()),
        layout: Layout::of(access.organization, flash),
    };
    Ok(render(&page, had_flash))
}

/// Whether this person is shown buttons that add and remove.
pub(super) fn may_install(app: &AppHandle, access: &Access) -> bool {
    app.setups.may_set_up(access).is_ok()
}

fn rows(app: &AppHandle, listing: Listing) -> Vec<IntegrationRow> {
    let Listing { rows, people, .. } = listing;
    let row = |installed: Installed| {
        let added_by = installed.link.added_by.and_then(|user| people.get(&user).cloned());
        let shown = shown(app, installed);
        let provider = app.plugins.find(&shown.provider.id);
        IntegrationRow { icon: icons::url(provider.as_deref()), added_by, shown }
    };
    rows.into_iter().map(row).collect()
}

fn revocation_lists(revocations: impl Iterator<Item = RevocationOut>) -> Vec<RevocationList> {
    let (over, open): (Vec<_>, Vec<_>) = revocations.partition(RevocationOut::is_over);
    let lists = [
        RevocationList { id: "being-revoked", heading: "Waiting for revocation", is_over: false, rows: open },
        RevocationList { id: "not-revoked", heading: "Action needed", is_over: true, rows: over },
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
