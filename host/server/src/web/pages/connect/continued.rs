//! Where a program's own front end sends the customer's browser on to the hosted setup.

use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use serde::Deserialize;

use super::connect_refused::refused;
use crate::{
    app::AppHandle,
    web::{
        connect_cookie::{ConnectCookie, KnownBrowser},
        error::{Problem, WebError},
        redirects::see_other,
        request_id::Reference,
    },
};
use jackfield_services::{
    connect::{ConnectRefusal, ConnectSessionId, Hold},
    setup::Refusal,
};

#[derive(Deserialize)]
pub(in crate::web) struct TicketQuery {
    ticket: String,
}

/// `GET /connect/sessions/{id}/continue/{provider}/?ticket=…`: the browser that comes first with
/// the ticket holds the session, and goes on with the setup.
pub(in crate::web) async fn go_on(
    State(app): State<AppHandle>,
    Path((id, provider)): Path<(String, String)>,
    Query(TicketQuery { ticket }): Query<TicketQuery>,
    cookie: ConnectCookie,
    Reference(reference): Reference,
) -> Result<Response, WebError> {
    let id: ConnectSessionId = id.parse().map_err(|_| Problem::NotFound)?;
    app.plugins.find_configured(&provider).ok_or(Problem::NotFound)?;
    let browser = KnownBrowser::of(cookie);
    if app.connect_sessions.redeem_ticket(id, &ticket, browser.holder).await? != Some(Hold::Ours) {
        let refusal = Refusal::from(ConnectRefusal::OtherBrowser);
        refusal.log(&provider);
        return Ok(refused(refusal, reference.as_deref()));
    }
    let mut response = see_other(&app.url_prefix.absolute(&format!("/extensions/{provider}/setup/")));
    browser.leave(&app.url_prefix, &mut response);
    Ok(response)
}
