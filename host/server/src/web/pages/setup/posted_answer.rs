//! An authorization server's answer by POST (OAuth 2.0 Form Post Response Mode).
//!
//! It comes from the server's origin, so the browser leaves out the session's cookie, which is
//! `SameSite=Lax`. A page of ours takes the parameters and posts them once more: that request is
//! from our own origin, and has the cookie. Nothing is kept, and nothing is believed: what comes
//! back is judged like an answer by GET, and a stranger gains nothing that a link does not give.

use askama::Template;
use axum::{
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::step_request::{is_form, pairs};
use crate::{
    app::AppHandle,
    web::{
        csrf::is_ours,
        error::{Problem, WebError},
        headers::private,
        html::html,
        pages::{assets, script_text::nonce},
    },
};
use jackfield_loader::Request as StepRequest;

/// Says that our page has posted an answer.
const FIELD: &str = "jackfield-answer";

/// Largest answer, in bytes. Some have an ID token and a person's name in them.
const LARGEST: usize = 64 << 10;

#[derive(Template)]
#[template(path = "posted_answer.html")]
struct PostedAnswerPage<'a> {
    provider: &'a str,
    action: &'a str,
    fields: &'a [(String, String)],
    field: &'static str,
    nonce: &'a str,
}

/// Takes forms that another origin posts to a redirect URI. It stands before the guard that refuses
/// all others.
pub(in crate::web) async fn take(State(app): State<AppHandle>, request: Request, next: Next) -> Response {
    let is_from_elsewhere = *request.method() == Method::POST && !is_ours(request.headers(), &app.url_prefix.origin());
    let provider = provider_in(request.uri().path()).filter(|_| is_from_elsewhere && is_form(request.headers()));
    match provider.and_then(|provider| app.plugins.find_configured(provider)) {
        Some(provider) => post_again(provider.name(), request).await.unwrap_or_else(IntoResponse::into_response),
        None => next.run(request).await,
    }
}

/// The page that posts an answer once more. What has no state is no answer.
async fn post_again(provider: &str, request: Request) -> Result<Response, WebError> {
    let action = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let body = to_bytes(request.into_body(), LARGEST).await.map_err(|_| Problem::TooLarge)?;
    let mut fields = pairs(&body);
    fields.retain(|(name, _)| name != FIELD);
    if !fields.iter().any(|(name, value)| name == "state" && !value.is_empty()) {
        return Err(Problem::CrossSite.into());
    }
    let nonce = nonce();
    let page = PostedAnswerPage { provider, action: &action, fields: &fields, field: FIELD, nonce: &nonce };
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; \
         base-uri 'none'; form-action 'self'"
    );
    let mut response = private(html(&page), &policy);
    // Without a referrer browsers also leave out the origin of the posted form.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    Ok(response)
}

/// The provider whose redirect URI a path is.
fn provider_in(path: &str) -> Option<&str> {
    let mut segments = path.strip_prefix("/extensions/")?.strip_suffix('/')?.split('/');
    let provider = segments.next()?;
    let is_setup = segments.next() == Some("setup");
    let servers = segments.count();
    (is_setup && servers <= 1).then_some(provider)
}

/// The request as if its answer had come by GET, if our page has posted it.
pub(super) fn as_by_get(mut request: StepRequest) -> StepRequest {
    if request.form.iter().any(|(name, _)| name == FIELD) {
        let form = std::mem::take(&mut request.form);
        request.query.extend(form.into_iter().filter(|(name, _)| name != FIELD));
        "GET".clone_into(&mut request.method);
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_redirect_uri_takes_an_answer() {
        for (path, provider) in [
            ("/extensions/acme/setup/", Some("acme")),
            ("/extensions/acme/setup/git.example/", Some("acme")),
            ("/extensions/acme/setup", None),
            ("/extensions/acme/setup/a/b/", None),
            ("/extensions/acme/webhook/k/", None),
            ("/extensions/acme/leaving/", None),
            ("/organizations/acme/integrations/acme/setup/", None),
            ("/auth/login/", None),
        ] {
            assert_eq!(provider_in(path), provider, "{path}");
        }
    }

    #[test]
    fn a_posted_answer_is_judged_as_one_by_get_and_other_forms_stay_forms() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut posted = StepRequest::new("POST", "");
        posted.query = vec![pair("tenant", "t")];
        posted.form = vec![pair("code", "c"), pair(FIELD, "1"), pair("code", "d")];
        let judged = as_by_get(posted.clone());
        assert_eq!(judged.query, [pair("tenant", "t"), pair("code", "c"), pair("code", "d")], "a repeated one stays");
        assert_eq!((judged.method.as_str(), judged.form.len()), ("GET", 0));
        posted.form.retain(|(name, _)| name != FIELD);
        assert_eq!(as_by_get(posted.clone()), posted);
    }
}
