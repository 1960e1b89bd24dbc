//! The cookie of a browser that holds connect sessions. It is not the session of a person who is
//! logged in: neither needs nor touches the other.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::Response,
};
use tower_sessions::cookie::{Cookie, SameSite, time::Duration};

use jackfield_config::UrlPrefix;
use jackfield_services::connect::Holder;

/// A little longer than a session can live.
const LIFETIME: Duration = Duration::days(8);

/// With https the prefix keeps other hosts of the domain from setting it (RFC 6265bis section
/// 4.1.3.2).
const NAMES: [&str; 2] = ["jackfield-connect", "__Host-jackfield-connect"];

/// The browser, if it has the cookie.
#[derive(Clone, Copy)]
pub(in crate::web) struct ConnectCookie(pub(in crate::web) Option<Holder>);

impl<S: Sync> FromRequestParts<S> for ConnectCookie {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(holder(&parts.headers)))
    }
}

fn holder(headers: &HeaderMap) -> Option<Holder> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = values.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.find(|cookie| NAMES.contains(&cookie.name())).and_then(|cookie| Holder::of_cookie(cookie.value()))
}

/// A browser that asks, and the cookie that it gets if it has none.
pub(in crate::web) struct KnownBrowser {
    pub(in crate::web) holder: Holder,
    new_cookie: Option<String>,
}

impl KnownBrowser {
    /// The browser of a cookie, or a new one.
    pub(in crate::web) fn of(cookie: ConnectCookie) -> Self {
        match cookie.0 {
            Some(holder) => Self { holder, new_cookie: None },
            None => {
                let (holder, text) = Holder::generate();
                Self { holder, new_cookie: Some(text) }
            }
        }
    }

    /// Gives a new browser its cookie.
    pub(in crate::web) fn leave(&self, prefix: &UrlPrefix, response: &mut Response) {
        let Some(text) = &self.new_cookie else { return };
        let is_https = prefix.is_https();
        let cookie = Cookie::build((NAMES[usize::from(is_https)], text.as_str())).path("/").http_only(true);
        let cookie = cookie.same_site(SameSite::Lax).secure(is_https).max_age(LIFETIME);
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_the_hosts_own_and_is_given_once() {
        let set = |prefix: &str, browser: &KnownBrowser| {
            let mut response = Response::default();
            browser.leave(&prefix.parse().expect("a prefix"), &mut response);
            response.headers().get(header::SET_COOKIE).map(|value| value.to_str().unwrap_or_default().to_owned())
        };
        let new = KnownBrowser::of(ConnectCookie(None));
        let https = set("https://jackfield.example", &new).unwrap_or_default();
        assert!(https.starts_with("__Host-jackfield-connect=jfb_"), "{https}");
        assert!(https.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=691200"), "{https}");
        let plain = set("http://127.0.0.1:8000", &new).unwrap_or_default();
        assert!(plain.starts_with("jackfield-connect=jfb_") && !plain.contains("Secure"), "{plain}");
        let text = plain.split(['=', ';']).nth(1).unwrap_or_default();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("a=b; jackfield-connect={text}").parse().expect("a value"));
        assert_eq!(holder(&headers), Some(new.holder));
        assert_eq!(set("http://127.0.0.1:8000", &KnownBrowser::of(ConnectCookie(holder(&headers)))), None);
    }
}
