//! The page of a step: a form in the host's look, or the plugin's own HTML, which can only be read
//! and posted. A line above says which plugin asks.

use std::sync::Arc;

use askama::Template;
use axum::{
    http::{HeaderValue, header},
    response::Response,
};
use url::Url;

use super::{
    plugin_html::{self, Links},
    way_out::way_out,
};
use crate::web::{
    headers::private,
    html::html,
    pages::{
        assets,
        form_fields::{self, FieldView},
    },
};
use jackfield_loader::{Provider, StepKind};
use jackfield_services::setup::{Page, Progress, STEP_FIELD};

#[derive(Template)]
#[template(path = "step.html")]
struct StepPage {
    progress: Progress,
    /// Name of the plugin that asks; `None` if the operator has declared the provider.
    plugin: Option<String>,
    body: Body,
    /// Where somebody gets who does not go on.
    cancel: String,
}

/// Seconds after which a waiting page is loaded again.
const LOOK_AGAIN: &str = "3";

enum Body {
    Html(String),
    Form { title: String, submit: String, fields: Vec<FieldView>, has_errors: bool },
}

/// Shows the page of the current step.
pub(super) async fn page(page: Page, progress: Progress, provider: &Arc<Provider>) -> Response {
    let waits = matches!(page, Page::Wait(_));
    let body = match page {
        Page::Html(html) | Page::Wait(html) => {
            let links = Links { provider: provider.clone(), named_hosts: progress.named_hosts.clone() };
            Body::Html(plugin_html::clean(html, links).await)
        }
        Page::Form(form) => Body::Form {
            fields: unsaved(form_fields::views(&form.fields, &form.values, &form.errors)),
            has_errors: !form.errors.is_empty(),
            title: form.title,
            submit: form.submit,
        },
    };
    let plugin = (!provider.is_declared()).then(|| provider.plugin().name.clone());
    let cancel = way_out(&progress.organization, progress.connect);
    let mut response = private(html(&StepPage { progress, plugin, body, cancel }), &policy(provider));
    // Without a referrer browsers also leave out the origin of a posted form. Over plain http
    // nothing else shows that the form is ours.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if waits {
        response.headers_mut().insert(header::REFRESH, HeaderValue::from_static(LOOK_AGAIN));
    }
    response
}

/// Nothing of a setup is saved yet: a password has to be typed each time.
fn unsaved(fields: Vec<FieldView>) -> Vec<FieldView> {
    fields.into_iter().map(|field| FieldView { is_set: false, ..field }).collect()
}

/// A step runs no script, and its forms are posted only to this host. Browsers apply that to
/// redirects too, so the provider's own authorization endpoint is named.
fn policy(provider: &Provider) -> String {
    let origins: String = form_origins(provider).map(|origin| format!(" {origin}")).collect();
    format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'{origins}; \
         frame-ancestors 'none'; base-uri 'none'"
    )
}

/// Where the forms of a provider's steps may lead besides this host: to the authorization
/// endpoints that are known before anything is posted.
pub(super) fn form_origins(provider: &Provider) -> impl Iterator<Item = String> {
    let endpoints = provider.steps().iter().filter_map(|step| match &step.kind {
        StepKind::OAuth2(oauth2) => Url::parse(&oauth2.authorize_url).ok(),
        StepKind::View | StepKind::OAuth2FromState | StepKind::Unknown => None,
    });
    endpoints.map(|url| url.origin().ascii_serialization())
}
