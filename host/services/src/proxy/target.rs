//! The URL of a call. Pure.
//!
//! A path is appended to the API URL as it is, never resolved against it. Anything that a server
//! could read as a way up or out is refused, however often it is encoded. Whether the host may be
//! reached is checked when the call is sent.

use std::borrow::Cow;

use url::Url;

/// How often a path is decoded to find what is hidden in it.
const DEPTH: usize = 3;

/// The URL of a call: below the API URL, or the path itself if that is an absolute URL.
pub(super) fn target(base: &str, path: &str, query: Option<&str>) -> Result<Url, &'static str> {
    check(path)?;
    let mut url = match split_scheme(path) {
        Some((scheme, rest)) => absolute_url(scheme, rest)?,
        None => below(base, path)?,
    };
    url.set_query(query);
    Ok(url)
}

/// Splits an absolute URL at its scheme. One slash is enough: some servers merge two into one.
fn split_scheme(path: &str) -> Option<(&'static str, &str)> {
    ["https", "http"].into_iter().find_map(|scheme| {
        let (start, rest) = path.split_once(":/")?;
        start.eq_ignore_ascii_case(scheme).then(|| (scheme, rest.strip_prefix('/').unwrap_or(rest)))
    })
}

fn absolute_url(scheme: &str, rest: &str) -> Result<Url, &'static str> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    if authority.is_empty() || !authority.bytes().all(is_plain) {
        return Err("the host is not written plainly");
    }
    check_segments(path)?;
    Url::parse(&format!("{scheme}://{authority}/{path}")).map_err(|_| "the host is not valid")
}

fn below(base: &str, path: &str) -> Result<Url, &'static str> {
    check_segments(path)?;
    Url::parse(&format!("{}/{path}", base.trim_end_matches('/'))).map_err(|_| "it makes no URL")
}

/// Refuses characters that servers read differently and no path needs.
fn check(path: &str) -> Result<(), &'static str> {
    let mut text = Cow::Borrowed(path.as_bytes());
    for _ in 0..DEPTH {
        if text.iter().any(|byte| byte.is_ascii_control()) {
            return Err("it holds a control character");
        }
        if !text.contains(&b'%') {
            break;
        }
        text = Cow::Owned(decoded(&text));
    }
    if path.contains(['\\', '#', '?']) { Err("it holds `\\`, `#` or `?`") } else { Ok(()) }
}

/// Refuses segments that lead up, and empty segments other than the last.
fn check_segments(path: &str) -> Result<(), &'static str> {
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            return Err("it holds an empty segment");
        }
        if leads_up(segment) {
            return Err("it holds a segment of dots");
        }
    }
    Ok(())
}

fn leads_up(segment: &str) -> bool {
    let mut text = Cow::Borrowed(segment.as_bytes());
    for _ in 0..DEPTH {
        if text.contains(&b'%') {
            text = Cow::Owned(decoded(&text));
        }
        let mut pieces = text.split(|byte| matches!(byte, b'/' | b'\\'));
        // Some servers read what follows `;` as a parameter.
        if pieces.any(|piece| matches!(piece.split(|byte| *byte == b';').next(), Some(b"." | b".."))) {
            return true;
        }
        if !text.contains(&b'%') {
            return false;
        }
    }
    false
}

/// RFC 3986 section 2.1. What is not well-formed stays as it is.
fn decoded(text: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://slack.com/api/";

    #[test]
    fn a_path_is_appended_to_the_base_as_it_is() {
        for (base, path, query, expected) in [
            (BASE, "chat.postMessage", None, "https://slack.com/api/chat.postMessage"),
            ("https://slack.com/api", "a/b/", Some("c=d&e=%2F"), "https://slack.com/api/a/b/?c=d&e=%2F"),
            ("https://api.github.com", "", None, "https://api.github.com/"),
            (BASE, "projects/group%2Fproject/x", None, "https://slack.com/api/projects/group%2Fproject/x"),
            (BASE, "a..b/...", None, "https://slack.com/api/a..b/..."),
            (BASE, "users/@me", None, "https://slack.com/api/users/@me"),
            (BASE, "a@evil.example/x", None, "https://slack.com/api/a@evil.example/x"),
            (BASE, "https%3A%2F%2Fevil.example", None, "https://slack.com/api/https%3A%2F%2Fevil.example"),
            (BASE, "ftp:x", None, "https://slack.com/api/ftp:x"),
            (BASE, "x:y", Some("u=https://evil.example/"), "https://slack.com/api/x:y?u=https://evil.example/"),
            (BASE, "https://files.slack.com/f", Some("a"), "https://files.slack.com/f?a"),
            (BASE, "https:/files.slack.com", None, "https://files.slack.com/"),
            (BASE, "HTTPS://Files.Slack.com:8443/f", None, "https://files.slack.com:8443/f"),
            (BASE, "http://[::1]/", None, "http://[::1]/"),
        ] {
            let url = target(base, path, query).unwrap_or_else(|wrong| panic!("{path}: {wrong}"));
            assert_eq!(url.as_str(), expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_could_lead_elsewhere_is_refused() {
        for path in [
            "..",
            "../x",
            "a/../x",
            "a/./x",
            ".",
            "%2e%2e/x",
            "%2E./x",
            ".%2e",
            "%252e%252e/x",
            "%25252e%25252e/x",
            "a/..%2f..%2fx",
            "a%2f..",
            "a%5c..%5cx",
            "..;/x",
            "..;a=b/x",
            "/evil.example/x",
            "//evil.example/x",
            "a//b",
            "\\\\evil.example",
            "a\\b",
            "a#b",
            "a?b",
            "a%00",
            "a%0d%0aHost:%20evil.example",
            "a%250d%250a",
            "a\r\nb",
            "a%7f",
            "ftp://evil.example/x",
            "file:///etc/passwd",
            "https://",
            "https:///evil.example",
            "https://user@slack.com/x",
            "https://slack.com@evil.example/x",
            "https://slack.com:x@evil.example/",
            "https://slack.com%2eevil.example/",
            "https://slack.com%40evil.example/",
            "https://slack.com/../x",
            "https://slack.com//x",
            "https://sl\u{e4}ck.com/",
            "https://[::1/x",
            "https://slack.com:99999/",
        ] {
            assert!(target(BASE, path, None).is_err(), "{path:?} leads to {:?}", target(BASE, path, None));
        }
    }

    #[test]
    fn a_base_that_is_no_url_leads_nowhere() {
        assert!(target("", "x", None).is_err());
        assert!(target("/api/", "x", None).is_err());
    }
}
