//! The providers that can be added.

use axum::{Json, extract::State};
use serde::Serialize;

use crate::{
    app::AppHandle,
    web::{
        auth::{ApiAccess, require},
        error::WebError,
    },
};
use jackfield_loader::{Field, Provider};
use jackfield_services::accounts::Scope;

#[derive(Serialize)]
pub(in crate::web) struct ProvidersOut {
    providers: Vec<ProviderOut>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProviderOut {
    id: String,
    name: String,
    config: Vec<Field>,
    setup_dialog: SetupDialogOut,
}

#[derive(Serialize)]
struct SetupDialogOut {
    url: String,
    width: u32,
    height: u32,
}

/// `GET /api/0/organizations/{org}/config/integrations/`: the configured providers, in the
/// operator's order.
pub(in crate::web) async fn providers(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
) -> Result<Json<ProvidersOut>, WebError> {
    require(&access, Scope::OrgRead)?;
    let slug = &access.organization.slug;
    let providers = app.plugins.configured().iter().map(|provider| shown(provider, slug)).collect();
    Ok(Json(ProvidersOut { providers }))
}

fn shown(provider: &Provider, organization: &str) -> ProviderOut {
    let (id, dialog) = (provider.id(), provider.dialog());
    ProviderOut {
        id: id.to_owned(),
        name: provider.name().to_owned(),
        config: provider.config().to_vec(),
        setup_dialog: SetupDialogOut {
            url: format!("/organizations/{organization}/integrations/{id}/setup/"),
            width: dialog.width,
            height: dialog.height,
        },
    }
}
