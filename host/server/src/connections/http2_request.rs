//! A request of HTTP/2 in the form that one of HTTP/1.1 has: the routes know that form. Pure.

use axum::http::{
    HeaderValue, Uri,
    header::{COOKIE, HOST},
    request::Parts,
};

/// Gives a request the path alone as its URL, a `Host`, and one line of cookies.
pub(super) fn in_the_form_of_http1(head: &mut Parts) {
    if let Some(host) = head.uri.authority().and_then(|it| HeaderValue::from_str(it.as_str()).ok()) {
        // RFC 9113 section 8.3.1: it replaces a `Host` beside it.
        head.headers.insert(HOST, host);
    }
    if let Some(path) = head.uri.path_and_query().cloned() {
        head.uri = Uri::from(path);
    }
    join_cookies(head);
}

/// RFC 9113 section 8.2.3: a client may send each cookie in a line of its own.
fn join_cookies(head: &mut Parts) {
    let lines: Vec<&[u8]> = head.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if lines.len() < 2 {
        return;
    }
    if let Ok(mut joined) = HeaderValue::from_bytes(&lines.join(&b"; "[..])) {
        joined.set_sensitive(true);
        head.headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn the_routes_see_what_they_would_see_of_http1() {
        let request = Request::get("http://jackfield.example:8000/a/b?c=d")
            .header(COOKIE, "a=1")
            .header(COOKIE, "b=2; c=3")
            .header(HOST, "evil.example");
        let (mut head, ()) = request.body(()).expect("a request").into_parts();
        in_the_form_of_http1(&mut head);
        assert_eq!(head.uri.to_string(), "/a/b?c=d");
        assert_eq!(head.headers[HOST], "jackfield.example:8000");
        assert_eq!(head.headers.get_all(HOST).iter().count(), 1);
        assert_eq!(head.headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2; c=3"]);
    }
}
