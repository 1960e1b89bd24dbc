//! A person's own account: the identities they have proved.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{
    assets,
    caller::LoggedIn,
    error::{PageError, WebError, found},
    frame::{Frame, LeftNotice, framed},
    notice::Notice,
};
use crate::app::AppHandle;
use jackfield_services::accounts::Identity;
use jackfield_store::IdentityId;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    identities: Vec<Identity>,
}

/// `GET /account/`: from the header of every page.
pub(super) async fn page(
    State(app): State<AppHandle>,
    LoggedIn(user): LoggedIn,
    LeftNotice(notice): LeftNotice,
) -> Result<Response, PageError> {
    let organization = app.accounts.first_organization(user).await?;
    let identities = app.accounts.identities(user).await?;
    let had_notice = notice.is_some();
    Ok(framed(&AccountPage { frame: Frame { organization, notice }, identities }, had_notice))
}

/// `POST /account/identities/{id}/unlink/`: the button there.
pub(super) async fn unlink(
    State(app): State<AppHandle>,
    LoggedIn(user): LoggedIn,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let id: IdentityId = id.parse().map_err(|_| WebError::NotFound)?;
    let unlinked = app.accounts.unlink_identity(user, id).await?;
    if !unlinked.was_linked {
        return Err(WebError::NotFound.into());
    }
    for revocation in unlinked.revocations {
        app.revocations.revoke_now(revocation).await;
    }
    let mut response = found("/account/");
    Notice::unlinked().leave(&mut response);
    Ok(response)
}
