//! The page where people of an organization make a link by hand, see which are open, and end them.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
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
        plain_text::PlainForm,
        redirects::found,
        request_origin::RequestOrigin,
    },
};
use jackfield_services::{
    accounts::{Access, Scope},
    connect::{ConnectError, ConnectFilter, ConnectSessionIn, ConnectSessionOut, SubjectIn},
};

/// Links on a page.
const PER_PAGE: usize = 50;

#[derive(Template)]
#[template(path = "connect_links.html")]
struct ConnectLinksPage {
    layout: Layout,
    slug: String,
    name: String,
    is_turned_off: bool,
    providers: Vec<ProviderChoice>,
    form: LinkForm,
    /// What is wrong with the form.
    error: Option<String>,
    made: Option<MadeLink>,
    rows: Vec<LinkRow>,
    is_first: bool,
    /// The query of the next page.
    next: Option<String>,
}

struct ProviderChoice {
    id: String,
    name: String,
    is_chosen: bool,
}

/// A link that was just made. It is shown here and never again.
struct MadeLink {
    url: String,
    expires_at: String,
}

/// A link that is open.
struct LinkRow {
    session: ConnectSessionOut,
    /// Names of the services; empty: all.
    services: String,
}

impl LinkRow {
    fn title(&self) -> String {
        let services = if self.services.is_empty() { "Any service" } else { &self.services };
        match &self.session.subject {
            Some(subject) => format!("{services} for {}", subject.name().unwrap_or(subject.id())),
            None => services.to_owned(),
        }
    }

    fn expires_at(&self) -> String {
        in_words(self.session.expires_at.as_deref().unwrap_or_default())
    }
}

/// A time as people read it: `2026-12-01, 12:30 UTC`.
fn in_words(rfc3339: &str) -> String {
    match (rfc3339.get(..10), rfc3339.get(11..16)) {
        (Some(day), Some(time)) => format!("{day}, {time} UTC"),
        _ => rfc3339.to_owned(),
    }
}

/// The form, as it was posted or as it is in the beginning.
#[derive(Default)]
struct LinkForm {
    providers: Vec<String>,
    subject: String,
    subject_name: String,
    return_url: String,
    /// The same form posted twice makes one link.
    key: String,
}

impl LinkForm {
    fn new() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system has a random generator");
        Self { key: format!("{:032x}", u128::from_be_bytes(bytes)), ..Self::default() }
    }

    fn of(posted: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in posted {
            let value = value.trim().to_owned();
            match name.as_str() {
                "provider" => form.providers.push(value),
                "subject" => form.subject = value,
                "subject-name" => form.subject_name = value,
                "return-url" => form.return_url = value,
                "key" => form.key = value,
                _ => {}
            }
        }
        form
    }

    fn asked(&self) -> ConnectSessionIn {
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let subject = given(&self.subject).map(|id| SubjectIn { id, name: given(&self.subject_name) });
        ConnectSessionIn {
            providers: Some(self.providers.clone()).filter(|providers| !providers.is_empty()),
            subject,
            return_url: given(&self.return_url),
            ..ConnectSessionIn::default()
        }
    }

    /// What the API cannot know: a name without an ID would be left out silently.
    fn check(&self) -> Result<(), ConnectError> {
        if self.subject.is_empty() && !self.subject_name.is_empty() {
            return Err(ConnectError::Invalid("Enter the customer's ID too, or leave the name out.".to_owned()));
        }
        Ok(())
    }
}

#[derive(Default, Deserialize)]
pub(in crate::web) struct LinksQuery {
    cursor: Option<String>,
}

/// `GET /organizations/{org}/connect-links/`: from the list of integrations.
pub(in crate::web) async fn page(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    FlashCookie(flash): FlashCookie,
    Query(query): Query<LinksQuery>,
) -> Result<Response, WebError> {
    require(&access, Scope::OrgIntegrations)?;
    let had_flash = flash.is_some();
    let shown = Shown { form: LinkForm::new(), flash, query, ..Shown::default() };
    Ok(render(&shown.page(&app, access).await?, had_flash))
}

/// `POST /organizations/{org}/connect-links/`: the form there. Answers with the link.
pub(in crate::web) async fn create(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    RequestOrigin(source): RequestOrigin,
    PlainForm(posted): PlainForm<Vec<(String, String)>>,
) -> Result<Response, WebError> {
    require(&access, Scope::OrgIntegrations)?;
    if is_turned_off(&app, &access) {
        return Err(Problem::MissingScope.because("Adding integrations is turned off for this organization."));
    }
    let form = LinkForm::of(posted);
    let key = Some(form.key.as_str()).filter(|key| !key.is_empty());
    let made = match form.check() {
        Ok(()) => app.connect_sessions.create(&access, form.asked(), key, &source).await,
        Err(error) => Err(error),
    };
    let (status, shown) = match made {
        Ok(made) => {
            let expires_at = jackfield_config::clock::rfc3339(made.expires_at).unwrap_or_default();
            let made = MadeLink { url: made.url, expires_at: in_words(&expires_at) };
            (StatusCode::CREATED, Shown { form: LinkForm::new(), made: Some(made), ..Shown::default() })
        }
        Err(ConnectError::Store(error)) => return Err(error.into()),
        Err(error) => {
            (StatusCode::UNPROCESSABLE_ENTITY, Shown { form, error: Some(error.to_string()), ..Shown::default() })
        }
    };
    Ok((status, render(&shown.page(&app, access).await?, false)).into_response())
}

/// `POST /organizations/{org}/connect-links/{id}/end/`: the button there.
pub(in crate::web) async fn end(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    RequestOrigin(source): RequestOrigin,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, WebError> {
    require(&access, Scope::OrgIntegrations)?;
    let id = id.parse().map_err(|_| Problem::NotFound)?;
    if !app.connect_sessions.end(&access, id, &source).await? {
        return Err(Problem::NotFound.into());
    }
    let mut response = found(&format!("/organizations/{}/connect-links/", access.organization.slug));
    Flash::link_ended().leave(&mut response);
    Ok(response)
}

fn is_turned_off(app: &AppHandle, access: &Access) -> bool {
    app.setups.is_turned_on(&access.organization).is_err()
}

/// What differs between the answers of this page.
#[derive(Default)]
struct Shown {
    form: LinkForm,
    error: Option<String>,
    made: Option<MadeLink>,
    flash: Option<Flash>,
    query: LinksQuery,
}

impl Shown {
    async fn page(self, app: &AppHandle, access: Access) -> Result<ConnectLinksPage, WebError> {
        let before = self.query.cursor.as_deref().map(str::parse).transpose();
        let before = before.map_err(|_| Problem::BadRequest.because("The cursor is not valid."))?;
        let is_first = before.is_none();
        let filter = ConnectFilter { only_open: true, subject: None, before };
        let listing = app.connect_sessions.list(access.organization.id, filter, PER_PAGE).await?;
        let configured = app.plugins.configured();
        let mut providers: Vec<_> = configured.iter().map(|one| (one.id().to_owned(), one.name().to_owned())).collect();
        providers.sort_by_key(|(_, name)| name.to_lowercase());
        let rows = listing.rows.into_iter().map(|session| LinkRow::new(session, &providers)).collect();
        let choice = |(id, name): (String, String)| {
            let is_chosen = self.form.providers.contains(&id);
            ProviderChoice { id, name, is_chosen }
        };
        Ok(ConnectLinksPage {
            slug: access.organization.slug.clone(),
            name: access.organization.name.clone(),
            is_turned_off: is_turned_off(app, &access),
            providers: providers.into_iter().map(choice).collect(),
            layout: Layout::of(access.organization, self.flash),
            form: self.form,
            error: self.error,
            made: self.made,
            next: listing.next.map(|next| format!("cursor={next}")),
            is_first,
            rows,
        })
    }
}

impl LinkRow {
    fn new(session: ConnectSessionOut, providers: &[(String, String)]) -> Self {
        let name = |id: &String| {
            let known = providers.iter().find(|(known, _)| known == id);
            known.map_or_else(|| id.clone(), |(_, name)| name.clone())
        };
        let services = session.providers.iter().flatten().map(name).collect::<Vec<_>>().join(", ");
        Self { session, services }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> LinkForm {
        LinkForm::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn what_is_left_empty_is_not_asked_for() {
        let asked = form(&[("subject", " "), ("subject-name", ""), ("return-url", ""), ("key", "k")]).asked();
        assert!(asked.providers.is_none() && asked.subject.is_none() && asked.return_url.is_none());
        let asked = form(&[("provider", "slack"), ("provider", "example"), ("subject", "c7")]).asked();
        assert_eq!(asked.providers, Some(vec!["slack".to_owned(), "example".to_owned()]));
        assert_eq!(asked.subject.map(|subject| (subject.id, subject.name)), Some(("c7".to_owned(), None)));
    }

    #[test]
    fn a_name_without_an_id_is_not_left_out_silently() {
        assert!(form(&[("subject-name", "Ada")]).check().is_err());
        assert!(form(&[("subject-name", "Ada"), ("subject", "c7")]).check().is_ok());
        assert!(form(&[]).check().is_ok());
    }

    #[test]
    fn times_are_in_words() {
        assert_eq!(in_words("2026-12-01T12:30:00Z"), "2026-12-01, 12:30 UTC");
        assert_eq!(in_words(""), "");
    }
}
