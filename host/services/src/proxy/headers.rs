//! Which headers of a call and of its answer are forwarded. Pure.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use url::Url;

use super::{
    error::ProxyError,
    location::{self, OwnOrigins},
};
use jackfield_loader::Api;
use jackfield_outbound::expects_body;

/// RFC 9110 section 7.6.1: valid for one connection only, as are those that `Connection` names.
/// `Trailer` is not: it announces what passes.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Meant for this host and not for the service: credentials, addresses, proxies in between. The
/// length is written anew.
const FOR_THIS_HOST: [&str; 12] = [
    "authorization",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "origin",
    "referer",
    "via",
    "x-real-ip",
    "x-request-id",
];
const FOR_THIS_HOST_PREFIXES: [&str; 5] = ["jackfield-", "x-jackfield-", "x-forwarded-", "sec-", "proxy-"];

/// Tells a browser something about the service's origin, which here would be about this host's. Or
/// tells it to a cache, although an answer belongs to one token only. RFC 9213 section 2.2: a cache
/// may have a header of its own that overrides `Cache-Control`.
const ABOUT_THE_ORIGIN: [&str; 23] = [
    "set-cookie",
    "set-cookie2",
    "alt-svc",
    "cdn-cache-control",
    "clear-site-data",
    "content-security-policy",
    "content-security-policy-report-only",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "edge-control",
    "expect-ct",
    "nel",
    "origin-agent-cluster",
    "permissions-policy",
    "public-key-pins",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "service-worker-allowed",
    "sourcemap",
    "speculation-rules",
    "strict-transport-security",
    "expires",
];
const ABOUT_THE_ORIGIN_PREFIXES: [&str; 4] = ["access-control-", "jackfield-", "x-jackfield-", "surrogate-"];
const CACHE_SUFFIX: &str = "-cdn-cache-control";

/// A server in front of this host would obey these: answer with a file or another URL, or take a
/// backend out of service.
const FRONT_SERVER_PREFIXES: [&str; 7] =
    ["x-accel-", "x-appengine-", "x-envoy-", "x-lighttpd-", "x-litespeed-", "x-reproxy-", "x-sendfile"];

/// On every answer. Whatever a browser takes the service's bytes for, they run nothing, have no
/// origin and cannot be framed, and no cache keeps them, whatever the service allows.
const ADDED: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The headers of the request: the caller's that are for the service, the provider's, and the
/// credential.
pub(super) fn request_headers(received: &HeaderMap, api: &Api, token: &str) -> Result<HeaderMap, ProxyError> {
    let mut headers = without(received, is_for_this_host);
    if takes_trailers(received) {
        // The caller gets them. Services that speak gRPC refuse calls without this.
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if !api.has_token_header() {
        headers.insert(header::AUTHORIZATION, credential("Bearer {access-token}", token)?);
    }
    for (name, value) in &api.headers {
        let not_valid = || ProxyError::Header(name.clone());
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| not_valid())?;
        // Before the token is filled in: a mistake in the template is not the token's fault.
        let template = HeaderValue::from_str(value).map_err(|_| not_valid())?;
        if value.contains(Api::ACCESS_TOKEN) {
            headers.insert(header, credential(value, token)?);
        } else {
            headers.entry(header).or_insert(template);
        }
    }
    Ok(headers)
}

fn takes_trailers(received: &HeaderMap) -> bool {
    let values = received.get_all(header::TE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

fn credential(template: &str, token: &str) -> Result<HeaderValue, ProxyError> {
    let text = template.replace(Api::ACCESS_TOKEN, token);
    let mut value = HeaderValue::from_str(&text).map_err(|_| ProxyError::Unusable)?;
    value.set_sensitive(true);
    Ok(value)
}

/// How the service knows where the body ends (RFC 9112 section 6). The client's own choice is not
/// always right: it drops the body of a GET without a length, and sends no length for an empty one.
pub(super) fn framing(received: &HeaderMap, method: &Method, has_body: bool) -> Option<(HeaderName, HeaderValue)> {
    // RFC 9112 section 6.3: it overrides a length.
    let is_chunked = received.contains_key(header::TRANSFER_ENCODING);
    match received.get(header::CONTENT_LENGTH).filter(|_| !is_chunked) {
        Some(length) => Some((header::CONTENT_LENGTH, length.clone())),
        None if has_body => Some((header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"))),
        None if expects_body(method) => Some((header::CONTENT_LENGTH, HeaderValue::from(0))),
        None => None,
    }
}

/// Headers with URLs.
const LINKS: [HeaderName; 3] = [header::LOCATION, header::CONTENT_LOCATION, header::LINK];

/// The headers of the answer to a call of a URL: the service's that are for the caller, and ours.
/// Few answers have links, so `own` is asked only for those.
pub(super) fn response_headers(received: &HeaderMap, called: &Url, own: impl FnOnce() -> OwnOrigins) -> HeaderMap {
    let mut headers = without(received, is_not_for_the_caller);
    if LINKS.iter().any(|name| headers.contains_key(name)) {
        let own = own();
        for name in [header::LOCATION, header::CONTENT_LOCATION] {
            replace(&mut headers, &name, |value| location::rewrite_reference(value, called, &own));
        }
        replace(&mut headers, &header::LINK, |value| location::rewrite_links(value, called, &own));
    }
    for (name, value) in ADDED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

pub(super) fn is_for_this_host(name: &str) -> bool {
    FOR_THIS_HOST.contains(&name) || begins(name, &FOR_THIS_HOST_PREFIXES)
}

pub(super) fn is_not_for_the_caller(name: &str) -> bool {
    ABOUT_THE_ORIGIN.contains(&name)
        || begins(name, &ABOUT_THE_ORIGIN_PREFIXES)
        || begins(name, &FRONT_SERVER_PREFIXES)
        || name.ends_with(CACHE_SUFFIX)
}

fn replace(headers: &mut HeaderMap, name: &HeaderName, by: impl Fn(&HeaderValue) -> Option<HeaderValue>) {
    let values: Vec<_> = headers.get_all(name).iter().filter_map(by).collect();
    headers.remove(name);
    for value in values {
        headers.append(name, value);
    }
}

pub(super) fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
}

/// The end-to-end headers, without some of them.
fn without(headers: &HeaderMap, is_dropped: impl Fn(&str) -> bool) -> HeaderMap {
    let named = named_by_connection(headers);
    let is_named = |name: &str| named.iter().any(|named| named == name);
    let is_kept = |name: &str| !is_hop_by_hop(name) && !is_named(name) && !is_dropped(name);
    let kept = headers.iter().filter(|(name, _)| is_kept(name.as_str()));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn begins(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

/// Whether the caller wants another protocol. An upgrade to HTTP/2 over plain TCP may be ignored
/// (RFC 9110 section 7.8).
pub(super) fn wants_upgrade(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|to| !to.as_bytes().eq_ignore_ascii_case(b"h2c"))
}

/// Whether the service refuses the token itself, and not this use of it (RFC 6750 section 3.1).
pub(super) fn refuses_token(status: StatusCode, headers: &HeaderMap) -> bool {
    let challenges = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let is_other = |challenge: &str| ["insufficient_scope", "invalid_request"].iter().any(|it| challenge.contains(it));
    status == StatusCode::UNAUTHORIZED && !challenges.into_iter().any(is_other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn headers_for_this_host_are_not_forwarded() {
        let received = headers(&[
            ("authorization", "Bearer jf_secret"),
            ("cookie", "session=1"),
            ("host", "jackfield.example"),
            ("connection", "close, X-Private"),
            ("x-private", "1"),
            ("keep-alive", "5"),
            ("te", "trailers, deflate"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("proxy-authorization", "Basic x"),
            ("expect", "100-continue"),
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", "evil.example"),
            ("origin", "https://evil.example"),
            ("referer", "https://jackfield.example/secret"),
            ("sec-fetch-site", "cross-site"),
            ("jackfield-grant", "bot"),
            ("x-jackfield-url", "https://evil.example/"),
            ("x-request-id", "1"),
            ("accept", "text/plain"),
            ("accept", "text/html"),
            ("content-type", "text/plain"),
        ]);
        let sent = request_headers(&received, &Api::new("https://a/"), "t").expect("a token");
        assert_eq!(names(&sent), ["accept", "authorization", "content-type", "te"]);
        assert_eq!(sent["te"], "trailers", "the caller takes those, and the codings are the connection's");
        assert_eq!(sent.get_all("accept").iter().count(), 2);
        assert_eq!(sent["authorization"], "Bearer t");
        assert!(!format!("{sent:?}").contains("Bearer t"), "no token in a log");
    }

    #[test]
    fn the_credential_goes_as_the_provider_says_and_cannot_be_set_or_taken_away_by_the_caller() {
        let api = Api::new("https://a/").header("x-token", Api::ACCESS_TOKEN).header("x-version", "2");
        let received =
            headers(&[("x-token", "mine"), ("connection", "x-token"), ("authorization", "Bearer jf_secret")]);
        let named = request_headers(&received, &api, "t").expect("a token");
        assert_eq!((names(&named), &named["x-token"]), (vec!["x-token", "x-version"], &HeaderValue::from_static("t")));
        assert_eq!(named.get_all("x-token").iter().count(), 1);
        let other = request_headers(&headers(&[("x-version", "3")]), &api, "t").expect("a token");
        assert_eq!(other["x-version"], "3", "the caller's, where it carries no token");
        assert!(matches!(request_headers(&received, &api, "a\r\nx-evil: 1"), Err(ProxyError::Unusable)));
    }

    #[test]
    fn an_invalid_header_of_the_provider_is_named() {
        for (name, value) in [("x version", "2"), ("x-version", "a\nb"), ("x-token", "\u{7f}{access-token}")] {
            let api = Api::new("https://a/").header(name, value);
            let result = request_headers(&HeaderMap::new(), &api, "t");
            assert!(matches!(&result, Err(ProxyError::Header(named)) if named == name), "{name}: {result:?}");
        }
    }

    #[test]
    fn every_body_has_its_framing_whatever_the_method() {
        let framing = |received: &[(&'static str, &'static str)], method: Method, has_body| {
            framing(&headers(received), &method, has_body).map(|(name, value)| format!("{name}: {value:?}"))
        };
        let (length, chunked) = (|n| Some(format!("content-length: \"{n}\"")), Some("transfer-encoding: \"chunked\""));
        for method in [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS] {
            assert_eq!(framing(&[], method.clone(), false), None, "{method}");
            assert_eq!(framing(&[("content-length", "0")], method, false), length(0));
        }
        // RFC 9110 section 8.6.
        for method in [Method::POST, Method::PUT, Method::PATCH] {
            assert_eq!(framing(&[], method, false), length(0));
        }
        for method in [Method::GET, Method::HEAD, Method::DELETE, Method::POST] {
            assert_eq!(framing(&[("content-length", "5")], method.clone(), true), length(5), "{method}");
            for received in
                [&[("transfer-encoding", "chunked")][..], &[("content-length", "5"), ("transfer-encoding", "chunked")]]
            {
                assert_eq!(framing(received, method.clone(), true).as_deref(), chunked, "{method}");
            }
        }
    }

    #[test]
    fn headers_about_the_services_origin_are_not_forwarded() {
        let received = headers(&[
            ("set-cookie", "session=evil"),
            ("access-control-allow-origin", "*"),
            ("strict-transport-security", "max-age=1; includeSubDomains"),
            ("clear-site-data", "\"*\""),
            ("alt-svc", "h3=\"evil.example:443\""),
            ("content-security-policy", "default-src *"),
            ("cache-control", "public, max-age=60"),
            ("x-content-type-options", "sniff"),
            ("service-worker-allowed", "/"),
            ("refresh", "0; url=https://evil.example/"),
            ("speculation-rules", "\"/rules.json\""),
            ("x-accel-redirect", "/secret"),
            ("x-accel-expires", "3600"),
            ("x-appengine-blobkey", "1"),
            ("x-envoy-immediate-health-check-fail", "1"),
            ("x-lighttpd-send-file", "/etc/passwd"),
            ("x-litespeed-location", "/secret"),
            ("x-reproxy-url", "http://10.0.0.1/"),
            ("x-sendfile", "/etc/passwd"),
            ("x-sendfile2", "/etc/passwd 0-"),
            ("cdn-cache-control", "max-age=60"),
            ("cloudflare-cdn-cache-control", "max-age=60"),
            ("edge-control", "cache-maxage=1d"),
            ("surrogate-control", "max-age=60"),
            ("jackfield-error", "unreachable"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("content-type", "text/html"),
            ("content-length", "5"),
            ("etag", "\"1\""),
            ("location", "https://elsewhere.example/"),
            ("content-location", "2"),
            ("link", "<?page=2>; rel=next"),
            ("link", "<https://jackfield.example/api/0/>; rel=prev"),
            ("retry-after", "30"),
            ("x-ratelimit-remaining", "0"),
            ("ratelimit", "\"default\";r=0;t=30"),
        ]);
        let called = "https://a.example/v1/".parse().expect("a URL");
        let own = || OwnOrigins::new(["https://jackfield.example"]);
        let answered = response_headers(&received, &called, own);
        let forwarded = ["content-length", "content-location", "content-type", "etag", "link", "location"];
        let limits = ["ratelimit", "retry-after", "x-ratelimit-remaining"];
        let added = ADDED;
        let added: Vec<_> = added.iter().map(|(name, _)| name.as_str()).collect();
        let mut expected = [forwarded.as_slice(), &added, &limits].concat();
        expected.sort_unstable();
        assert_eq!(names(&answered), expected);
        assert_eq!(answered["cache-control"], "no-store");
        assert_eq!(answered["content-location"], "https://a.example/v1/2");
        assert_eq!(answered.get_all("link").iter().collect::<Vec<_>>(), ["<https://a.example/v1/?page=2>; rel=next"]);
        assert!(answered["content-security-policy"].to_str().is_ok_and(|policy| policy.contains("sandbox")));
    }

    #[test]
    fn only_a_401_that_is_about_the_token_has_it_refreshed() {
        let refuses = |status, challenge: &[(&'static str, &'static str)]| refuses_token(status, &headers(challenge));
        let unauthorized = StatusCode::UNAUTHORIZED;
        assert!(refuses(unauthorized, &[]));
        assert!(refuses(unauthorized, &[("www-authenticate", "Bearer error=\"invalid_token\"")]));
        assert!(!refuses(unauthorized, &[("www-authenticate", "Bearer error=\"insufficient_scope\"")]));
        assert!(!refuses(StatusCode::FORBIDDEN, &[]));
    }
}
