//! The page where people of an organization see to which endpoints its events are delivered, and
//! add one.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{
    assets,
    flash::Flash,
    layout::{FlashCookie, Layout, render},
};
use crate::{
    app::AppHandle,
    web::{
        auth::{PageAccess, require},
        error::WebError,
        plain_text::PlainForm,
        request_origin::RequestOrigin,
    },
};
use jackfield_services::{
    accounts::{Access, Scope},
    outbox::{EndpointError, EndpointIn, EndpointOut, EventKind},
};

#[derive(Template)]
#[template(path = "endpoint_list.html")]
struct EndpointListPage {
    layout: Layout,
    slug: String,
    name: String,
    kinds: Vec<Choice>,
    providers: Vec<Choice>,
    form: EndpointIn,
    /// What is wrong with the form.
    error: Option<String>,
    /// The secret of the one that was just added. It is shown here and never again.
    secret: Option<String>,
    rows: Vec<EndpointOut>,
}

/// Something that an endpoint can ask for.
struct Choice {
    id: String,
    name: String,
    is_chosen: bool,
}

/// `GET /organizations/{org}/endpoints/`: from the list of integrations.
pub(in crate::web) async fn page(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    FlashCookie(flash): FlashCookie,
) -> Result<Response, WebError> {
    require(&access, Scope::OrgIntegrations)?;
    let had_flash = flash.is_some();
    let shown = Shown { flash, ..Shown::default() };
    Ok(render(&shown.page(&app, access).await?, had_flash))
}

/// `POST /organizations/{org}/endpoints/`: the form there. Answers with the secret.
pub(in crate::web) async fn create(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    RequestOrigin(source): RequestOrigin,
    PlainForm(posted): PlainForm<Vec<(String, String)>>,
) -> Result<Response, WebError> {
    require(&access, Scope::OrgIntegrations)?;
    let form = form_of(posted);
    let (status, shown) = match app.endpoints.create(&access, form.clone(), &source).await {
        Ok(made) => (StatusCode::CREATED, Shown { secret: Some(made.secret), ..Shown::default() }),
        Err(EndpointError::Store(error)) => return Err(error.into()),
        Err(error) => {
            (StatusCode::UNPROCESSABLE_ENTITY, Shown { form, error: Some(error.to_string()), ..Shown::default() })
        }
    };
    Ok((status, render(&shown.page(&app, access).await?, false)).into_response())
}

fn form_of(posted: Vec<(String, String)>) -> EndpointIn {
    let mut form = EndpointIn::default();
    for (name, value) in posted {
        let value = value.trim().to_owned();
        match name.as_str() {
            "url" => form.url = value,
            "description" => form.description = value,
            "type" => form.types.push(value),
            "provider" => form.providers.push(value),
            _ => {}
        }
    }
    form
}

/// What differs between the answers of this page.
#[derive(Default)]
struct Shown {
    form: EndpointIn,
    error: Option<String>,
    secret: Option<String>,
    flash: Option<Flash>,
}

impl Shown {
    async fn page(self, app: &AppHandle, access: Access) -> Result<EndpointListPage, WebError> {
        let rows = app.endpoints.list(access.organization.id).await?;
        let kinds = EventKind::ALL.iter().map(|kind| (kind.as_str().to_owned(), kind.as_str().to_owned()));
        let configured = app.plugins.configured();
        let mut providers: Vec<_> = configured.iter().map(|one| (one.id().to_owned(), one.name().to_owned())).collect();
        providers.sort_by_key(|(_, name)| name.to_lowercase());
        Ok(EndpointListPage {
            slug: access.organization.slug.clone(),
            name: access.organization.name.clone(),
            layout: Layout::of(access.organization, self.flash),
            kinds: choices(kinds, &self.form.types),
            providers: choices(providers, &self.form.providers),
            form: self.form,
            error: self.error,
            secret: self.secret,
            rows,
        })
    }
}

fn choices(all: impl IntoIterator<Item = (String, String)>, chosen: &[String]) -> Vec<Choice> {
    let choice = |(id, name): (String, String)| Choice { is_chosen: chosen.contains(&id), id, name };
    all.into_iter().map(choice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_box_that_is_checked_is_asked_for() {
        let pairs =
            [("url", " https://crm.example/ "), ("type", "a"), ("type", "b"), ("provider", "slack"), ("x", "y")];
        let form = form_of(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
        assert_eq!((form.url.as_str(), form.types.len(), form.providers.len()), ("https://crm.example/", 2, 1));
        assert!(choices([("b".to_owned(), "B".to_owned())], &form.types)[0].is_chosen);
    }
}
