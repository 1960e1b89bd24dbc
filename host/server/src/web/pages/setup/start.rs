//! Starts a setup, or asks the person first.
//!
//! A start has an effect: it ends an earlier setup of the same provider, and a service that does
//! not ask again connects the person's account. So it takes a `POST` of our own origin, or a `GET`
//! whose sender is known. For any other `GET` a page with one button asks the person.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use url::{Url, form_urlencoded};

use super::step_request::StepRequest;
use crate::{
    app::AppHandle,
    web::{
        auth::{BrowserSession, PageAccess},
        csrf::{Sender, sender},
        error::{Problem, WebError},
        html::html,
        pages::assets,
        redirects::{found, see_other},
    },
};
use jackfield_services::{
    accounts::{Access, Scope},
    integrations::IntegrationId,
    session::Session,
    setup::{Channel, Refusal, SetupOwner, Start, StartError},
};

/// Has a `GET` ask the person.
const ASK: &str = "ask";

/// What a setup may be started with.
const OPTIONS: [&str; 3] = ["integration", "channel", "dialog"];

/// The page runs no script, and its one form leads here. Browsers apply `form-action` to the
/// redirects of the form too, and those lead to any service, so the page does not set it.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage<'a> {
    provider: &'a str,
    organization: &'a str,
    slug: &'a str,
    options: Vec<(&'a str, &'a str)>,
}

impl StartPage<'_> {
    fn verb(&self) -> &'static str {
        if self.options.iter().any(|(name, _)| *name == "integration") { "Reconnect" } else { "Connect" }
    }
}

/// The provider of the path, and the parameters of the query or the posted form.
struct Asked {
    provider: String,
    parameters: BTreeMap<String, String>,
}

impl Asked {
    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    fn integration(&self) -> Result<Option<IntegrationId>, Problem> {
        self.get("integration").map(str::parse).transpose().map_err(|_| Problem::NotFound)
    }
}

/// `GET /organizations/{org}/integrations/{provider}/setup/`: the "add" links. The redirect drops
/// the query.
pub(in crate::web) async fn start(
    State(app): State<AppHandle>,
    headers: HeaderMap,
    page: PageAccess,
    BrowserSession(session): BrowserSession,
    Path((_, provider)): Path<(String, String)>,
    StepRequest(request): StepRequest,
) -> Result<Response, WebError> {
    let asked = Asked { provider, parameters: request.query.into_iter().collect() };
    match sender(&headers, &app.url_prefix.origin()) {
        Sender::CrossSite => Err(Problem::CrossSite
            .because("Connections cannot be started from other sites. Start one from your integrations.")),
        Sender::Trusted if asked.get(ASK).is_none() => {
            Ok(begin(&app, &page, &session, &asked).await?.map_or_else(|| found("/"), |url| found(&url)))
        }
        Sender::Trusted | Sender::Unknown => ask(&app, &page.access, &asked),
    }
}

/// `POST /organizations/{org}/integrations/{provider}/setup/`: the button of the page below.
pub(in crate::web) async fn start_by_post(
    State(app): State<AppHandle>,
    page: PageAccess,
    BrowserSession(session): BrowserSession,
    Path((_, provider)): Path<(String, String)>,
    StepRequest(request): StepRequest,
) -> Result<Response, WebError> {
    let asked = Asked { provider, parameters: request.query.into_iter().chain(request.form).collect() };
    Ok(begin(&app, &page, &session, &asked).await?.map_or_else(|| found("/"), |url| see_other(&url)))
}

/// Whether the person may set up anything here; `false` where the feature is off.
fn may_set_up(app: &AppHandle, access: &Access) -> Result<bool, WebError> {
    match app.setups.may_set_up(access) {
        Ok(()) => Ok(true),
        Err(Refusal::FeatureOff) => Ok(false),
        Err(_) => Err(WebError::missing_scope(Scope::OrgIntegrations)),
    }
}

/// Starts the setup, and answers where it goes on; `None` where the feature is off.
async fn begin(
    app: &AppHandle,
    page: &PageAccess,
    session: &Session,
    asked: &Asked,
) -> Result<Option<String>, WebError> {
    if !may_set_up(app, &page.access)? {
        return Ok(None);
    }
    let key = session.key().ok_or_else(|| Problem::Internal.caused_by(&"a person is logged in without a session"))?;
    let start = Start {
        session: &key,
        owner: SetupOwner::User(page.user),
        organization: &page.access.organization,
        provider: &asked.provider,
        integration: asked.integration()?,
        dialog: asked.get("dialog") != Some("0"),
        channel: asked.get("channel").and_then(Channel::new),
    };
    Ok(Some(app.setups.start(start).await?))
}

/// A page with one button.
fn ask(app: &AppHandle, access: &Access, asked: &Asked) -> Result<Response, WebError> {
    if !may_set_up(app, access)? {
        return Ok(found("/"));
    }
    let provider = app.plugins.find_configured(&asked.provider).ok_or(Problem::NotFound)?;
    let page = StartPage {
        provider: provider.name(),
        organization: &access.organization.name,
        slug: &access.organization.slug,
        options: OPTIONS.into_iter().filter_map(|name| Some((name, asked.get(name)?))).collect(),
    };
    let mut response = html(&page);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

/// A path within this host to which somebody is sent on. If it starts a setup, the person is asked
/// first: the person who made the link has chosen it.
pub(in crate::web) fn asked_first(path: &str) -> String {
    let Ok(mut url) = Url::parse("http://host.invalid").and_then(|base| base.join(path)) else {
        return path.to_owned();
    };
    let segments: Vec<&str> = url.path_segments().map(Iterator::collect).unwrap_or_default();
    if !matches!(segments[..], ["organizations", _, "integrations", _, "setup", ..]) {
        return path.to_owned();
    }
    let kept = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(url.query_pairs().filter(|(name, _)| name != ASK))
        .append_pair(ASK, "1")
        .finish();
    url.set_query(Some(&kept));
    format!("{}?{kept}", url.path())
}

impl From<StartError> for WebError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::NotFound => Problem::NotFound.into(),
            StartError::TooMany { retry_after } => Problem::TooManySetups.until(retry_after.unsigned_abs()),
            StartError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_on_into_a_setup_without_being_asked() {
        let start = "/organizations/acme/integrations/slack/setup/";
        for (path, sent_to) in [
            (start.to_owned(), format!("{start}?ask=1")),
            (format!("{start}?ask=0&integration=3"), format!("{start}?integration=3&ask=1")),
            (format!("/account/..{start}#x"), format!("{start}?ask=1")),
            (format!("/%2e%2e{start}"), format!("{start}?ask=1")),
        ] {
            assert_eq!(asked_first(&path), sent_to, "{path}");
        }
        for path in ["/", "/organizations/acme/integrations/", "/account/?next=/setup/", "/extensions/slack/setup/"] {
            assert_eq!(asked_first(path), path);
        }
    }
}
