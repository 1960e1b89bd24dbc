//! What somebody sees who opens the link of a connect session: the services that they can connect,
//! or the one.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};

use super::{
    connect_policy::with_ancestor,
    connect_refused::{refused, refused_in_frame},
};
use crate::{
    app::AppHandle,
    web::{
        connect_cookie::{ConnectCookie, KnownBrowser},
        error::{Problem, WebError},
        headers::private,
        html::html,
        pages::{assets, icons},
        request_id::Reference,
    },
};
use jackfield_services::{
    accounts::Organization,
    connect::{ConnectPrincipal, ConnectRefusal, Hold, ShownProof},
    setup::Refusal,
};

#[derive(Template)]
#[template(path = "connect.html")]
struct DirectoryPage<'a> {
    organization: &'a str,
    subject: Option<&'a str>,
    token: &'a str,
    session: String,
    providers: Vec<ConnectProvider>,
    /// Whether an integration is connected again.
    is_again: bool,
    is_framed: bool,
    /// The origin of the program's page, for the script.
    origin: &'a str,
    /// What the browser has to prove before it can go on; empty: nothing.
    to_prove: &'static str,
}

/// A service that can be connected.
struct ConnectProvider {
    id: String,
    name: String,
    icon: String,
    width: u32,
    height: u32,
}

impl DirectoryPage<'_> {
    fn verb(&self) -> &'static str {
        if self.is_again { "Reconnect" } else { "Connect" }
    }
}

/// `GET /connect/{token}/`: the link of a session. The first browser that opens it holds the
/// session, unless the session wants another proof. A frame holds nothing: its dialog opens a
/// window of its own, since browsers keep the cookies of frames back.
pub(in crate::web) async fn open(
    State(app): State<AppHandle>,
    Path(token): Path<String>,
    cookie: ConnectCookie,
    Reference(reference): Reference,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let session = app.connect_sessions.of_token(&token).await?.ok_or(Problem::NotFound)?;
    let organization = match session.check_open() {
        Ok(organization) => organization,
        Err(refusal) => return Ok(framable(refused_in_frame(refusal.into(), reference.as_deref()), &session)),
    };
    if let Err(refusal) = app.setups.is_turned_on(organization) {
        return Ok(refused(refusal, reference.as_deref()));
    }
    if is_framed(&headers) {
        return Ok(page(&app, &session, organization, &token, Shown::Framed));
    }
    let browser = KnownBrowser::of(cookie);
    let shown = match app.connect_sessions.hold(&session, browser.holder, &ShownProof::default()).await? {
        Hold::Ours => Shown::Holder,
        Hold::Unproved(proof) => Shown::Unproved(proof.as_str()),
        Hold::OtherBrowser => {
            let refusal = Refusal::from(ConnectRefusal::OtherBrowser);
            refusal.log("connect");
            return Ok(refused(refusal, reference.as_deref()));
        }
    };
    let mut response = page(&app, &session, organization, &token, shown);
    browser.leave(&app.url_prefix, &mut response);
    Ok(response)
}

/// To whom the page is shown.
#[derive(Clone, Copy)]
enum Shown {
    Framed,
    Holder,
    Unproved(&'static str),
}

/// Whether a browser asks for a page in a frame (Fetch Metadata, `Sec-Fetch-Dest`).
fn is_framed(headers: &HeaderMap) -> bool {
    let dest = headers.get("sec-fetch-dest").map(axum::http::HeaderValue::as_bytes);
    matches!(dest, Some(b"iframe" | b"frame" | b"embed" | b"object" | b"fencedframe"))
}

fn page(
    app: &AppHandle,
    session: &ConnectPrincipal,
    organization: &Organization,
    token: &str,
    shown: Shown,
) -> Response {
    let terms = &session.session.terms;
    let page = DirectoryPage {
        organization: &organization.name,
        subject: terms.subject_name.as_deref(),
        token,
        session: session.session.id.to_string(),
        providers: providers(app, session),
        is_again: terms.integration.is_some(),
        is_framed: matches!(shown, Shown::Framed),
        origin: terms.origin.as_deref().unwrap_or_default(),
        to_prove: if let Shown::Unproved(proof) = shown { proof } else { "" },
    };
    let policy = format!(
        "default-src 'none'; script-src {}; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'",
        app.url_prefix.absolute("/static/")
    );
    framable(private(html(&page), &policy), session)
}

/// The services that the session is for and that can be connected now. Browsers apply `form-action`
/// to the redirects of a form as well, and these lead to any of them, so the page does not set it.
fn providers(app: &AppHandle, session: &ConnectPrincipal) -> Vec<ConnectProvider> {
    let configured = app.plugins.configured();
    let allowed = configured.iter().filter(|provider| session.check_provider(provider.id()).is_ok());
    let shown = allowed.map(|provider| {
        let (id, dialog) = (provider.id().to_owned(), provider.dialog());
        let icon = icons::url(Some(provider));
        ConnectProvider { id, name: provider.name().to_owned(), icon, width: dialog.width, height: dialog.height }
    });
    shown.collect()
}

/// The page with who may frame it: the program's page alone.
fn framable(response: Response, session: &ConnectPrincipal) -> Response {
    with_ancestor(response, session.session.terms.origin.as_deref())
}
