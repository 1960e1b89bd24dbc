//! The set-up of an integration: start, steps, dialog answer.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    body::Bytes,
    extract::{FromRequest, Path, Query, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{
    answer::html,
    assets,
    caller::{BrowserSession, LoggedIn, PageAccess, require},
    error::{PageError, WebError, found},
    origin::is_cross_site,
};
use crate::{
    accounts::Scope,
    app::AppHandle,
    pipeline::{Channel, Ended, FEATURE, Outcome, Page, Progress, Start, StartError, Visit},
    plugins::{FieldType, Form, Provider, Request, StepKind},
    store::IntegrationId,
};

#[derive(Deserialize)]
pub(super) struct StartQuery {
    integration: Option<String>,
    channel: Option<String>,
    dialog: Option<String>,
}

/// `GET /organizations/{org}/integrations/{provider}/setup/`: the "add" links; answers a redirect that drops the query.
pub(super) async fn start(
    State(app): State<AppHandle>,
    headers: HeaderMap,
    PageAccess { user, access }: PageAccess,
    BrowserSession(session): BrowserSession,
    Path((_, provider)): Path<(String, String)>,
    Query(query): Query<StartQuery>,
) -> Result<Response, PageError> {
    if is_cross_site(&headers) {
        return Err(WebError::Forbidden("A set-up cannot be started from another site.").into());
    }
    require(&access, Scope::OrgIntegrations)?;
    if !app.features.is_on(FEATURE, &access.organization.slug) {
        return Ok(found("/"));
    }
    let key = session.key().ok_or_else(|| WebError::Internal("a person is logged in without a session".to_owned()))?;
    let integration = query.integration.as_deref().map(str::parse::<IntegrationId>).transpose();
    let start = Start {
        session: &key,
        user,
        organization: &access.organization,
        provider: &provider,
        integration: integration.map_err(|_| WebError::NotFound)?,
        dialog: query.dialog.as_deref() != Some("0"),
        channel: query.channel.as_deref().and_then(Channel::new),
    };
    Ok(found(&app.pipelines.start(start).await?))
}

impl From<StartError> for WebError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::NotFound => Self::NotFound,
            StartError::Store(error) => error.into(),
        }
    }
}

/// `GET`, `POST /extensions/{provider}/setup/`: the steps, and the redirect URI of OAuth 2.0.
pub(super) async fn visit(
    State(app): State<AppHandle>,
    user: Option<LoggedIn>,
    BrowserSession(session): BrowserSession,
    Path(provider): Path<String>,
    StepRequest(request): StepRequest,
) -> Result<Response, PageError> {
    let Some(session) = session.key() else {
        return Ok(private(found("/"), "")); // No session, so nothing can be under way in it.
    };
    let user = user.map(|LoggedIn(user)| user);
    let visit = Visit { session, user, provider: provider.clone(), request };
    Ok(match app.pipelines.clone().visit(visit).await? {
        Outcome::Show { page, progress } => {
            let policy = app.plugins.find(&provider).map(|provider| step_policy(provider)).unwrap_or_default();
            private(html(&StepPage { progress, page }), &policy)
        }
        Outcome::Redirect(url) => private(found(&url), ""),
        Outcome::Ended(ended) => dialog_page(&ended, &app.url_prefix.origin()),
        Outcome::Refused(_) => private(found("/"), ""),
        Outcome::NotFound => return Err(WebError::NotFound.into()),
    })
}

/// What the browser sent, as a plugin sees it.
pub(super) struct StepRequest(Request);

impl<S: Send + Sync> FromRequest<S> for StepRequest {
    type Rejection = Response;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Response> {
        let mut seen = Request::new(request.method().as_str(), "");
        seen.query = pairs(request.uri().query().unwrap_or_default().as_bytes());
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        if is_form {
            let body = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
            seen.form = pairs(&body);
        }
        Ok(Self(seen))
    }
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

#[derive(Template)]
#[template(path = "step.html")]
struct StepPage {
    progress: Progress,
    page: Page,
}

impl StepPage {
    fn value<'a>(form: &'a Form, name: &str) -> &'a str {
        form.values.get(name).map_or("", String::as_str)
    }

    fn error<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
        form.errors.get(name).map(String::as_str)
    }
}

/// A step runs no script, and its forms go nowhere but here; browsers apply that to redirects too, so the provider's own
/// authorization endpoint is named.
fn step_policy(provider: &Provider) -> String {
    let endpoints = provider.steps().iter().filter_map(|step| match &step.kind {
        StepKind::OAuth2(oauth2) => Url::parse(&oauth2.authorize_url).ok(),
        StepKind::View | StepKind::Unknown => None,
    });
    let origins: String = endpoints.map(|url| format!(" {}", url.origin().ascii_serialization())).collect();
    format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'{origins}; \
         frame-ancestors 'none'; base-uri 'none'"
    )
}

#[derive(Template)]
#[template(path = "dialog.html")]
struct DialogPage<'a> {
    ended: &'a Ended,
    name: &'a str,
    message: String,
    channel: Option<String>,
    origin: String,
    nonce: &'a str,
}

/// The contract's dialog answer.
fn dialog_page(ended: &Ended, origin: &str) -> Response {
    let nonce = nonce();
    let page = DialogPage {
        ended,
        name: ended.data.get("name").and_then(Value::as_str).unwrap_or_default(),
        message: in_script(&ended.message()),
        channel: ended.channel.as_ref().map(|channel| in_script(&channel.as_str())),
        origin: in_script(&origin),
        nonce: &nonce,
    };
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
         form-action 'none'"
    );
    private(html(&page), &policy)
}

/// JSON that cannot leave a script: no `<`, `>`, `&`, and neither of the line separators that JavaScript once took for line ends.
fn in_script(value: &impl Serialize) -> String {
    let escapes: BTreeMap<char, &str> =
        [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")].into();
    let json = serde_json::to_string(value).expect("what is posted is plain JSON");
    json.chars().map(|c| escapes.get(&c).map_or_else(|| c.to_string(), ToString::to_string)).collect()
}

fn nonce() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has a random generator");
    BASE64_STANDARD_NO_PAD.encode(bytes)
}

/// Pages whose URL holds a code are neither kept nor told to the next page.
fn private(response: Response, policy: &str) -> Response {
    let mut response = response.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(policy) = HeaderValue::from_str(policy)
        && !policy.is_empty()
    {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_a_script_cannot_leave_it() {
        let name = "</script><img src=x onerror=alert(1)>\u{2028}\u{2029}\"'&";
        let text = in_script(&serde_json::json!({"name": name}));
        insta::assert_snapshot!(text, @r#"{"name":"\u003c/script\u003e\u003cimg src=x onerror=alert(1)\u003e\u2028\u2029\"'\u0026"}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).expect("it is still JSON")["name"], name);
    }
}
