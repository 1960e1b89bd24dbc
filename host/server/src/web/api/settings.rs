//! The settings of an organization, for its owners and its programs.

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize};

use super::super::branding;
use crate::{
    app::AppHandle,
    web::{
        auth::{ApiAccess, require},
        error::{Problem, WebError},
        request_origin::RequestOrigin,
    },
};
use jackfield_services::{
    accounts::{Access, Administrator, Scope},
    organization_settings::{Field, OrganizationSettings, SettingsChange, SettingsError, on_accent},
    request_source::RequestSource,
};

/// What is to be changed. A field that is absent stays, and `null` removes what is set. A key that
/// is not known is refused: a mistyped `allowedOrigins` would change nothing.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::web) struct SettingsIn {
    #[serde(deserialize_with = "named")]
    display_name: Option<Option<String>>,
    #[serde(deserialize_with = "named")]
    accent_color: Option<Option<String>>,
    allowed_origins: Option<Vec<String>>,
    same_account: Option<String>,
    /// A PNG or SVG in base64, or a `data:` URL of one.
    #[serde(deserialize_with = "named")]
    logo: Option<Option<String>>,
}

/// What the settings are.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::web) struct SettingsOut {
    /// The name on embedded pages; null: the organization's own.
    display_name: Option<String>,
    /// The color of buttons, `#rrggbb`; null: the host's own.
    accent_color: Option<String>,
    /// The color of the text on it: white or black.
    accent_text_color: Option<&'static str>,
    /// Where the logo is; null: there is none. The URL changes with the logo.
    logo_url: Option<String>,
    /// The origins that may embed pages, and that people may be sent back to.
    allowed_origins: Vec<String>,
    /// `one` or `two`: what the same account is that is connected for two subjects.
    same_account: &'static str,
}

/// `GET /api/0/organizations/{org}/settings/`.
pub(in crate::web) async fn settings(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
) -> Result<Json<SettingsOut>, WebError> {
    require(&access, Scope::OrgRead)?;
    let found = app.organization_settings.get(access.organization.id).await?;
    Ok(Json(shown(&app, &access, found)))
}

/// `PATCH /api/0/organizations/{org}/settings/`: changes all that is named, or nothing.
pub(in crate::web) async fn change_settings(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    RequestOrigin(source): RequestOrigin,
    body: Result<Json<SettingsIn>, JsonRejection>,
) -> Result<Json<SettingsOut>, WebError> {
    let by = owner(&access, source)?;
    let Json(body) = body.map_err(|rejection| unreadable(&rejection))?;
    let changed = app.organization_settings.change(access.organization.id, body.read()?, &by).await?;
    Ok(Json(shown(&app, &access, changed)))
}

/// The owner who changes settings: a token that has leaked opens no further origin.
pub(in crate::web) fn owner(access: &Access, source: RequestSource) -> Result<Administrator, WebError> {
    require(access, Scope::OrgAdmin)?;
    let user = access.user.ok_or_else(|| WebError::missing_scope(Scope::OrgAdmin))?;
    Ok(Administrator::User(user, source))
}

fn shown(app: &AppHandle, access: &Access, settings: OrganizationSettings) -> SettingsOut {
    let logo = branding::logo_url(&access.organization.slug, &settings);
    SettingsOut {
        accent_text_color: settings.accent_color.as_deref().and_then(on_accent),
        logo_url: logo.map(|path| app.url_prefix.absolute(&path)),
        display_name: settings.display_name,
        accent_color: settings.accent_color,
        allowed_origins: settings.allowed_origins,
        same_account: settings.same_account.as_str(),
    }
}

impl SettingsIn {
    fn read(self) -> Result<SettingsChange, WebError> {
        let logo = self.logo.map(|text| text.map(|text| decoded(&text)).transpose()).transpose()?;
        Ok(SettingsChange {
            display_name: self.display_name,
            accent_color: self.accent_color,
            allowed_origins: self.allowed_origins,
            same_account: self.same_account,
            logo,
            ..SettingsChange::default()
        })
    }
}

/// The bytes of a logo.
fn decoded(text: &str) -> Result<Vec<u8>, WebError> {
    let data = match text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        Some((_, data)) => data,
        None => text,
    };
    STANDARD.decode(data.trim()).map_err(|_| bad(&format!("{}: It is a PNG or SVG in base64.", Field::Logo.as_str())))
}

/// A field that is there, be it `null`.
fn named<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(field).map(Some)
}

fn bad(detail: &str) -> WebError {
    Problem::BadRequest.because(detail.to_owned())
}

fn unreadable(rejection: &JsonRejection) -> WebError {
    match Problem::of_status(rejection.status()) {
        Problem::BadRequest => bad(&rejection.body_text()),
        other => other.into(),
    }
}

impl From<SettingsError> for WebError {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Store(error) => error.into(),
            invalid @ SettingsError::Invalid(_) => bad(&invalid.to_string()),
        }
    }
}
