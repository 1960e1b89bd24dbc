//! The page of a step: a form in the host's look, or the plugin's own HTML, which can only be read
//! and posted.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use ammonia::Builder;
use askama::Template;
use axum::{
    http::{HeaderValue, header},
    response::Response,
};
use url::Url;

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
    body: Body,
}

/// Seconds after which a waiting page is loaded again.
const LOOK_AGAIN: &str = "3";

enum Body {
    Html(String),
    Form { title: String, submit: String, fields: Vec<FieldView>, has_errors: bool },
}

/// Shows the page of the current step.
pub(super) fn page(page: Page, progress: Progress, provider: &Provider) -> Response {
    let waits = matches!(page, Page::Wait(_));
    let body = match page {
        Page::Html(html) | Page::Wait(html) => Body::Html(clean(&html)),
        Page::Form(form) => Body::Form {
            fields: form_fields::views(&form.fields, &form.values, &form.errors),
            has_errors: !form.errors.is_empty(),
            title: form.title,
            submit: form.submit,
        },
    };
    let mut response = private(html(&StepPage { progress, body }), &policy(provider));
    // Without a referrer browsers also leave out the origin of a posted form. Over plain http
    // nothing else shows that the form is ours.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if waits {
        response.headers_mut().insert(header::REFRESH, HeaderValue::from_static(LOOK_AGAIN));
    }
    response
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

/// What a plugin's HTML may contain besides text: forms that post to this page, and nothing that
/// styles, runs or fetches.
static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::default();
    builder
        .add_tags([
            "form", "label", "input", "button", "select", "option", "optgroup", "textarea", "fieldset", "legend",
        ])
        .rm_tags(["img", "map", "area"])
        .add_tag_attributes("form", ["method", "novalidate"])
        .add_tag_attributes("label", ["for"])
        .add_tag_attributes("input", INPUT)
        .add_tag_attributes("select", ["name", "required", "multiple", "autofocus"])
        .add_tag_attributes("option", ["value", "selected", "disabled"])
        .add_tag_attributes("optgroup", ["label"])
        .add_tag_attributes("textarea", ["name", "required", "rows", "cols", "placeholder", "maxlength"])
        .add_tag_attributes("button", ["type", "name", "value", "disabled"])
        .add_generic_attributes(["id", "aria-label", "aria-describedby", "aria-invalid"])
        .url_schemes(HashSet::from(["https", "http", "mailto"]))
        .set_tag_attribute_values(HashMap::from([("a", HashMap::from([("target", "_blank")]))]))
        .link_rel(Some("noopener noreferrer"));
    builder
});

const INPUT: [&str; 14] = [
    "type",
    "name",
    "value",
    "required",
    "checked",
    "placeholder",
    "min",
    "max",
    "step",
    "minlength",
    "maxlength",
    "pattern",
    "autocomplete",
    "autofocus",
];

/// Balanced, so that it cannot end the page around it, and without script, style and handlers.
fn clean(html: &str) -> String {
    CLEANER.clean(html).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugins_form_stays_as_it_is() {
        let form = r#"<form method="POST"><p><label for="n">Name</label> <input id="n" name="name" required=""></p><button type="submit">Go</button></form>"#;
        assert_eq!(clean(form), form);
    }

    #[test]
    fn nothing_that_runs_styles_fetches_or_breaks_out_is_left() {
        let cases = [
            ("<script>alert(1)</script><p>a</p>", "<p>a</p>"),
            (
                "<style>body{display:none}</style><p style=\"color:red\" class=\"primary\" onclick=\"x()\">a</p>",
                "<p>a</p>",
            ),
            ("<img src=\"https://evil.example/x.png\" onerror=\"x()\">a", "a"),
            ("<iframe src=\"https://evil.example\"></iframe><object></object>a", "a"),
            ("</div></main><h1>Log in</h1>", "<h1>Log in</h1>"),
            (
                "<form action=\"https://evil.example\"><button formaction=\"https://evil.example\">a</button></form>",
                "<form><button>a</button></form>",
            ),
            (
                "<meta http-equiv=\"refresh\" content=\"0;url=https://evil.example\"><base href=\"https://evil.example\">a",
                "a",
            ),
        ];
        for (given, left) in cases {
            assert_eq!(clean(given), left, "{given}");
        }
        assert!(!clean("<a href=\"javascript:alert(1)\">a</a>").contains("href"));
    }
}
