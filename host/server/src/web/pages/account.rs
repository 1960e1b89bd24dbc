//! A person's own account: the identities they have proved.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{
    assets,
    flash::Flash,
    layout::{FlashCookie, Layout, render},
};
use crate::{
    app::AppHandle,
    web::{
        auth::LoggedIn,
        error::{Problem, WebError},
        redirects::found,
    },
};
use jackfield_services::accounts::{Identity, IdentityId};

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    layout: Layout,
    identities: Vec<Identity>,
}

impl AccountPage {
    fn status_in_words<'a>(&self, identity: &'a Identity) -> &'a str {
        match identity.status.as_str() {
            "valid" => "Valid",
            "invalid" => "Invalid",
            "unknown" => "Unknown",
            other => other,
        }
    }
}

/// `GET /account/`: from the header of every page.
pub(in crate::web) async fn page(
    State(app): State<AppHandle>,
    LoggedIn(user): LoggedIn,
    FlashCookie(flash): FlashCookie,
) -> Result<Response, WebError> {
    let organization = app.accounts.first_organization(user).await?;
    let identities = app.accounts.identities(user).await?;
    let had_flash = flash.is_some();
    Ok(render(&AccountPage { layout: Layout { organization, flash }, identities }, had_flash))
}

/// `POST /account/identities/{id}/unlink/`: the button there.
pub(in crate::web) async fn unlink(
    State(app): State<AppHandle>,
    LoggedIn(user): LoggedIn,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let id: IdentityId = id.parse().map_err(|_| Problem::NotFound)?;
    if !app.removals.unlink_identity(user, id).await? {
        return Err(Problem::NotFound.into());
    }
    let mut response = found("/account/");
    Flash::unlinked().leave(&mut response);
    Ok(response)
}
