//! What is left of a plugin's HTML: text and forms, and nothing that styles, runs or fetches, asks
//! a password manager for the host's own password, or leads anywhere unsaid.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use ammonia::Builder;
use url::{Url, form_urlencoded};

use jackfield_loader::{Destination, Provider};

/// Where the links of a page may lead.
pub(super) struct Links {
    pub(super) provider: Arc<Provider>,
    /// The hosts that the person has named.
    pub(super) named_hosts: Vec<String>,
}

/// Balanced, so that it cannot end the page around it, and without script, style and handlers. The
/// loader has bounded its size and its tags; even so it takes longer than others should wait.
pub(super) async fn clean(html: String, links: Links) -> String {
    let cleaned = tokio::task::spawn_blocking(move || cleaned(&html, move |href| target(href, &links)));
    cleaned.await.expect("cleaning HTML does not panic")
}

fn cleaned(html: &str, target: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> String {
    with_safe_tags(&cleaner(target).clean(html).to_string())
}

/// Where a link leads: where it says, over the page that tells the person so, or nowhere (`None`).
fn target(href: &str, links: &Links) -> Option<String> {
    // As a browser would resolve it on the page of a setup.
    let own = Url::parse("https://own.invalid/extensions/").expect("a URL");
    let url = own.join(href).ok()?;
    if url.origin() == own.origin() || url.scheme() == "mailto" {
        return Some(href.to_owned());
    }
    match links.provider.destination(&url, &links.named_hosts) {
        Destination::Declared => Some(href.to_owned()),
        Destination::Elsewhere => Some(leaving_url(links.provider.id(), &url)),
        Destination::NotGranted => None,
    }
}

/// The page that says where a link leads.
fn leaving_url(provider: &str, to: &Url) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", to.as_str()).finish();
    format!("/extensions/{provider}/leaving/?{query}")
}

fn cleaner(target: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Builder<'static> {
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
        .link_rel(Some("noopener noreferrer"))
        .attribute_filter(move |element, attribute, value| match (element, attribute) {
            ("a", "href") => target(value).map(Cow::from),
            ("input", "type") => Some(value.trim().to_ascii_lowercase().into()),
            _ => Some(value.into()),
        });
    builder
}

/// Not `autocomplete`: the form is on the host's own origin, and a password manager would fill in
/// the host's own password.
const INPUT: [&str; 13] = [
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
    "autofocus",
];

/// Only the host has headings of the first level, and no field asks for a password that is kept
/// already. The text is the cleaner's: every `<` outside of an attribute begins a tag, and every
/// attribute is in double quotes.
fn with_safe_tags(html: &str) -> String {
    let mut safe = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        safe.push_str(&rest[..start]);
        let (tag, after) = rest[start..].split_at(tag_length(&rest[start..]));
        safe.push_str(&safe_tag(tag));
        rest = after;
    }
    safe.push_str(rest);
    safe
}

/// The length of the tag that a text begins with.
fn tag_length(text: &str) -> usize {
    let mut is_quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'>' if !is_quoted => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn safe_tag(tag: &str) -> Cow<'_, str> {
    if tag.starts_with("<input") && tag.contains(PASSWORD) {
        return tag.replacen(PASSWORD, NEW_PASSWORD, 1).into();
    }
    for (first, second) in [("<h1>", "<h2>"), ("<h1 ", "<h2 "), ("</h1>", "</h2>")] {
        if let Some(rest) = tag.strip_prefix(first) {
            return format!("{second}{rest}").into();
        }
    }
    tag.into()
}

const PASSWORD: &str = " type=\"password\"";
const NEW_PASSWORD: &str = " type=\"password\" autocomplete=\"new-password\"";

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(html: &str) -> String {
        let to = |href: &str| (!href.contains("evil")).then(|| href.to_owned());
        cleaned(html, to)
    }

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
            ("</div></main><h1>Log in</h1>", "<h2>Log in</h2>"),
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

    #[test]
    fn no_field_asks_for_a_password_that_is_kept_already() {
        for given in [
            r#"<input type="password" autocomplete="current-password">"#,
            r#"<input autocomplete=current-password type=PassWord>"#,
            r#"<input type=" password " autocomplete="section-a current-password">"#,
        ] {
            assert_eq!(clean(given), r#"<input type="password" autocomplete="new-password">"#, "{given}");
        }
        let email = r#"<input type="email" name="email" autocomplete="username">"#;
        assert_eq!(clean(email), r#"<input type="email" name="email">"#);
        let text = r#"<p title="&lt;input type=password&gt;"> type="password"</p>"#;
        assert_eq!(clean(text), text, "text is no tag");
    }

    #[test]
    fn a_heading_is_below_the_hosts_own() {
        assert_eq!(clean("<h1 id=a>Jackfield</h1><h2>b</h2>"), r#"<h2 id="a">Jackfield</h2><h2>b</h2>"#);
    }

    #[test]
    fn a_link_to_nowhere_is_text() {
        let link = |href: &str| clean(&format!("<a href=\"{href}\">a</a>"));
        assert!(link("https://a.example/").starts_with("<a href=\"https://a.example/\""));
        assert!(!link("https://evil.example/").contains("evil"));
        assert!(!link("//evil.example/").contains("evil"));
    }
}
