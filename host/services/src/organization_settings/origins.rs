//! The origins that may embed an organization's pages: written exactly as browsers send them.

use url::{Host, Url};

/// Most origins of an organization.
pub(super) const MOST_ORIGINS: usize = 50;

/// Longest origin: a name of DNS has 253 characters.
const LONGEST: usize = 300;

/// An origin as browsers send it: `https://app.example`, without a path; `http` for this machine
/// only.
///
/// # Errors
/// What is wrong with it, and how to write it.
pub(super) fn checked_origin(text: &str) -> Result<String, String> {
    let text = text.trim();
    let wanted = "write an origin like https://app.example";
    if text.len() > LONGEST {
        return Err(format!("An origin has at most {LONGEST} characters; {wanted}."));
    }
    if text.contains('*') {
        return Err(format!("`{text}` has a wildcard, and each origin is named by itself; {wanted}."));
    }
    let url = Url::parse(text).map_err(|_| format!("`{text}` is not an origin; {wanted}."))?;
    let Some(host) = url.host().filter(is_plain) else {
        return Err(format!("`{text}` has no host that a browser sends; {wanted}."));
    };
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&host) => {}
        "http" => return Err(format!("`{text}` is not https; http is for this machine only, like http://localhost.")),
        _ => return Err(format!("`{text}` is not https; {wanted}.")),
    }
    let origin = url.origin().ascii_serialization();
    if origin == text { Ok(origin) } else { Err(format!("`{text}` is more than an origin; write {origin}.")) }
}

/// Whether nothing in it could end the name in a header: other characters than these are allowed in
/// a URL.
fn is_plain(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        }
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_exact_and_https_or_this_machine() {
        for origin in [
            "https://app.example",
            "https://app.example:8443",
            "https://192.0.2.1",
            "https://[2001:db8::1]",
            "https://xn--mller-kva.example",
            "http://localhost:3000",
            "http://app.localhost",
            "http://127.0.0.1:9102",
            "http://[::1]",
        ] {
            assert_eq!(checked_origin(origin).as_deref(), Ok(origin));
        }
        assert_eq!(checked_origin("  https://app.example\r").as_deref(), Ok("https://app.example"));
    }

    #[test]
    fn what_is_no_exact_origin_is_refused_with_how_to_write_it() {
        for (text, expected) in [
            ("https://app.example/", "write https://app.example."),
            ("https://app.example/path?q", "write https://app.example."),
            ("https://App.Example", "write https://app.example."),
            ("https://app.example:443", "write https://app.example."),
            ("https://me@app.example", "write https://app.example."),
            ("https://müller.example", "write https://xn--mller-kva.example."),
            ("http://app.example", "is not https"),
            ("http://127.0.0.1.example", "is not https"),
            ("http://localhost.example", "is not https"),
            ("https://*.example", "has a wildcard"),
            ("*", "has a wildcard"),
            ("null", "is not an origin"),
            ("", "is not an origin"),
            ("app.example", "is not an origin"),
            ("https://", "is not an origin"),
            ("javascript:alert(1)", "has no host"),
            ("data:text/html,x", "has no host"),
            ("file:///etc", "has no host"),
            ("ftp://app.example", "is not https"),
            ("https://a;script-src.example", "has no host that a browser sends"),
            ("https://a,b.example", "has no host that a browser sends"),
            ("https://a'b.example", "has no host that a browser sends"),
            ("https://a b.example", "is not an origin"),
        ] {
            let refused = checked_origin(text).expect_err(text);
            assert!(refused.contains(expected), "{text}: {refused}");
        }
    }
}
