//! What an organization shows where other products embed its pages: the owners' page, with a
//! preview.

use askama::Template;
use axum::{
    extract::{FromRequest, Multipart, Request, State},
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
        api::owner,
        auth::{PageAccess, require},
        branding,
        error::{Problem, WebError},
        plain_text::PlainForm,
        redirects::found,
        request_origin::RequestOrigin,
    },
};
use jackfield_services::{
    accounts::{Access, Scope},
    organization_settings::{
        InvalidField, MOST_BYTES, OrganizationSettings, SameAccount, SettingsChange, SettingsError,
    },
};

#[derive(Template)]
#[template(path = "organization_settings.html")]
struct SettingsPage {
    layout: Layout,
    slug: String,
    name: String,
    form: SettingsForm,
    logo: Option<String>,
    accent: Option<String>,
    invalid: Vec<InvalidField>,
}

/// What is in the form: what is set, or what was posted and cannot be.
#[derive(Deserialize)]
pub(in crate::web) struct SettingsForm {
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    accent_color: String,
    /// One on each line.
    #[serde(default)]
    allowed_origins: String,
    #[serde(default)]
    same_account: String,
}

impl SettingsForm {
    fn of(settings: &OrganizationSettings) -> Self {
        Self {
            display_name: settings.display_name.clone().unwrap_or_default(),
            accent_color: settings.accent_color.clone().unwrap_or_default(),
            allowed_origins: settings.allowed_origins.join("\n"),
            same_account: settings.same_account.as_str().to_owned(),
        }
    }

    fn change(&self) -> SettingsChange {
        let origins = self.allowed_origins.lines().map(str::trim).filter(|line| !line.is_empty());
        SettingsChange {
            display_name: Some(Some(self.display_name.clone())),
            accent_color: Some(Some(self.accent_color.clone())),
            allowed_origins: Some(origins.map(str::to_owned).collect()),
            same_account: Some(self.same_account.clone()),
            ..SettingsChange::default()
        }
    }
}

impl SettingsPage {
    fn wrong(&self, field: &str) -> Vec<&str> {
        let of_field = self.invalid.iter().filter(|invalid| invalid.field.as_str() == field);
        of_field.map(|field| field.message.as_str()).collect()
    }

    fn is_two(&self) -> bool {
        self.form.same_account == SameAccount::Two.as_str()
    }

    fn shown_name(&self) -> &str {
        if self.form.display_name.is_empty() { &self.name } else { &self.form.display_name }
    }
}

/// `GET /organizations/{org}/settings/`: from the integrations page.
pub(in crate::web) async fn page(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    FlashCookie(flash): FlashCookie,
) -> Result<Response, WebError> {
    require(&access, Scope::OrgAdmin)?;
    let had_flash = flash.is_some();
    Ok(render(&settings_page(&app, access, flash, None, Vec::new()).await?, had_flash))
}

async fn settings_page(
    app: &AppHandle,
    access: Access,
    flash: Option<Flash>,
    posted: Option<SettingsForm>,
    invalid: Vec<InvalidField>,
) -> Result<SettingsPage, WebError> {
    let settings = app.organization_settings.get(access.organization.id).await?;
    Ok(SettingsPage {
        slug: access.organization.slug.clone(),
        name: access.organization.name.clone(),
        form: posted.unwrap_or_else(|| SettingsForm::of(&settings)),
        logo: branding::logo_url(&access.organization.slug, &settings),
        accent: branding::accent_url(&settings),
        invalid,
        layout: Layout::of(access.organization, flash),
    })
}

/// `POST /organizations/{org}/settings/`: the form there.
pub(in crate::web) async fn change(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    RequestOrigin(source): RequestOrigin,
    PlainForm(form): PlainForm<SettingsForm>,
) -> Result<Response, WebError> {
    let by = owner(&access, source)?;
    let changed = app.organization_settings.change(access.organization.id, form.change(), &by).await;
    answer(&app, access, changed, Some(form)).await
}

/// `POST /organizations/{org}/settings/logo/`: the form with the file. Without a file the logo is
/// removed.
pub(in crate::web) async fn change_logo(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    RequestOrigin(source): RequestOrigin,
    request: Request,
) -> Result<Response, WebError> {
    let by = owner(&access, source)?;
    let multipart = Multipart::from_request(request, &app).await.map_err(|_| Problem::BadRequest)?;
    let change = SettingsChange { logo: Some(uploaded(multipart).await?), ..SettingsChange::default() };
    let changed = app.organization_settings.change(access.organization.id, change, &by).await;
    answer(&app, access, changed, None).await
}

/// The file of the form; `None` where the person removes the logo.
async fn uploaded(mut form: Multipart) -> Result<Option<Vec<u8>>, WebError> {
    while let Some(part) = form.next_field().await.map_err(|_| Problem::BadRequest)? {
        match part.name() {
            Some("remove") => return Ok(None),
            Some("logo") => {
                let mut bytes = part.bytes().await.map_err(|_| Problem::BadRequest)?.to_vec();
                // One more says that it is too many.
                bytes.truncate(MOST_BYTES + 1);
                return Ok(Some(bytes));
            }
            _ => {}
        }
    }
    Err(Problem::BadRequest.into())
}

async fn answer(
    app: &AppHandle,
    access: Access,
    changed: Result<OrganizationSettings, SettingsError>,
    posted: Option<SettingsForm>,
) -> Result<Response, WebError> {
    match changed {
        Err(SettingsError::Invalid(invalid)) => {
            let page = settings_page(app, access, None, posted, invalid).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, render(&page, false)).into_response())
        }
        other => {
            other?;
            let mut response = found(&format!("/organizations/{}/settings/", access.organization.slug));
            Flash::saved().leave(&mut response);
            Ok(response)
        }
    }
}
