//! The links of an answer: `Location`, `Content-Location` and `Link`. Pure.
//!
//! They are resolved against the URL that was called (RFC 9110 section 10.2.2) and passed on as
//! absolute URLs. Those that lead to this host are dropped: a client follows a redirect within one
//! origin with its credential, so a service could have the caller use another integration.

use http::HeaderValue;
use url::Url;

/// This host, under each name by which its caller may know it.
pub(super) struct OwnOrigins(Vec<Authority>);

/// Without the scheme: a host that serves http and https redirects from one to the other.
#[derive(Debug, PartialEq, Eq)]
struct Authority(String, Option<u16>);

impl OwnOrigins {
    /// Skips what is not a URL.
    pub(super) fn new<'a>(urls: impl IntoIterator<Item = &'a str>) -> Self {
        Self(urls.into_iter().filter_map(|url| authority(&Url::parse(url).ok()?)).collect())
    }

    fn contain(&self, url: &Url) -> bool {
        // `blob:` and similar schemes have an origin in their path.
        let inner = Url::parse(url.path()).ok();
        [Some(url), inner.as_ref()].into_iter().flatten().filter_map(authority).any(|found| self.0.contains(&found))
    }
}

fn authority(url: &Url) -> Option<Authority> {
    let port = url.port_or_known_default().filter(|port| !matches!(port, 80 | 443));
    // RFC 1034 section 3.1: a dot at the end does not change the name.
    Some(Authority(url.host_str()?.trim_end_matches('.').to_owned(), port))
}

/// A header that holds one reference, made absolute. `None` if it leads to this host, or is not a
/// reference.
pub(super) fn rewrite_reference(value: &HeaderValue, called: &Url, own: &OwnOrigins) -> Option<HeaderValue> {
    let url = resolved(std::str::from_utf8(value.as_bytes()).ok()?, called, own)?;
    HeaderValue::from_str(url.as_str()).ok()
}

/// A `Link` header (RFC 8288 section 3) with absolute targets. `None` if one of them leads to this
/// host, or is not a reference.
pub(super) fn rewrite_links(value: &HeaderValue, called: &Url, own: &OwnOrigins) -> Option<HeaderValue> {
    let mut rest = std::str::from_utf8(value.as_bytes()).ok()?;
    let mut text = String::new();
    while let Some(start) = target_start(rest) {
        let (before, target) = rest.split_at(start + 1);
        let (target, after) = target.split_once('>')?;
        text.push_str(before);
        text.push_str(resolved(target, called, own)?.as_str());
        text.push('>');
        rest = after;
    }
    text.push_str(rest);
    HeaderValue::from_bytes(text.as_bytes()).ok()
}

/// Where the next target begins, outside of quoted text.
fn target_start(text: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.bytes().position(|byte| {
        let was_escaped = is_escaped;
        is_escaped = is_quoted && byte == b'\\' && !was_escaped;
        is_quoted ^= byte == b'"' && !was_escaped;
        byte == b'<' && !is_quoted
    })
}

fn resolved(reference: &str, called: &Url, own: &OwnOrigins) -> Option<Url> {
    called.join(reference).ok().filter(|url| !own.contain(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLED: &str = "https://api.acme.example/v1/things/?page=1";

    fn own() -> OwnOrigins {
        OwnOrigins::new(["https://jackfield.example", "http://jackfield.internal:8000", "no url"])
    }

    fn called() -> Url {
        CALLED.parse().expect("a URL")
    }

    #[test]
    fn a_reference_is_one_to_the_service_and_never_one_to_this_host() {
        for (came, expected) in [
            ("https://elsewhere.example/x?y#z", Some("https://elsewhere.example/x?y#z")),
            (
                "/api/0/organizations/acme/integrations/8/proxy/users.delete",
                Some("https://api.acme.example/api/0/organizations/acme/integrations/8/proxy/users.delete"),
            ),
            ("2", Some("https://api.acme.example/v1/things/2")),
            ("?page=2", Some("https://api.acme.example/v1/things/?page=2")),
            ("//cdn.acme.example/f", Some("https://cdn.acme.example/f")),
            ("/caf\u{e9}", Some("https://api.acme.example/caf%C3%A9")),
            ("https://jackfield.example:8443/", Some("https://jackfield.example:8443/")),
            ("https://jackfield.example/api/0/", None),
            ("http://jackfield.example/api/0/", None),
            ("https://Jackfield.example.:443/", None),
            ("\\\\jackfield.example/x", None),
            ("//u:p@jackfield.example/x", None),
            (" https://jack\tfield.example/", None),
            ("http://jackfield.internal:8000/", None),
            ("blob:https://jackfield.example/x", None),
            ("https://[::1/", None),
        ] {
            let value = HeaderValue::from_bytes(came.as_bytes()).expect("a header");
            let found = rewrite_reference(&value, &called(), &own());
            assert_eq!(found.as_ref().and_then(|value| value.to_str().ok()), expected, "{came}");
        }
        assert!(rewrite_reference(&HeaderValue::from_bytes(b"/\xff").expect("a header"), &called(), &own()).is_none());
    }

    #[test]
    fn links_lead_to_the_service_and_never_to_this_host() {
        for (came, expected) in [
            (
                "<?page=2>; rel=\"next\", </v1/things/?page=9>; rel=last; title=\"a <b>, \\\"<c>\"",
                Some(
                    "<https://api.acme.example/v1/things/?page=2>; rel=\"next\", <https://api.acme.example/v1/things/?page=9>; rel=last; title=\"a <b>, \\\"<c>\"",
                ),
            ),
            ("<https://api.acme.example/a,b>; rel=next", Some("<https://api.acme.example/a,b>; rel=next")),
            ("<https://jackfield.example/api/0/>; rel=next", None),
            ("</a>; rel=prev, <https://jackfield.example/api/0/>; rel=next", None),
            ("</a>; title=\"\\\\\", <https://jackfield.example/>; rel=next", None),
            ("</a", None),
            ("", Some("")),
        ] {
            let found = rewrite_links(&HeaderValue::from_str(came).expect("a header"), &called(), &own());
            assert_eq!(found.as_ref().and_then(|value| value.to_str().ok()), expected, "{came}");
        }
    }
}
