//! The cookie of a browser that somebody has logged in with before.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderValue, header, request::Parts},
    response::Response,
};
use tower_sessions::cookie::{Cookie, SameSite, time::Duration};

use crate::app::AppHandle;

/// Its value; empty if there is none. A response with it as an extension sets it.
#[derive(Clone)]
pub(in crate::web) struct DeviceCookie(pub(in crate::web) String);

/// Only the log-in reads it.
const PATH: &str = "/auth/login/";

/// A little longer than its content is believed.
const LIFETIME: Duration = Duration::days(200);

impl<S: Sync> FromRequestParts<S> for DeviceCookie {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let values = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut cookies = values.flat_map(Cookie::split_parse).filter_map(Result::ok);
        let found = cookies.find(|cookie| NAMES.contains(&cookie.name()));
        Ok(Self(found.map(|cookie| cookie.value().to_owned()).unwrap_or_default()))
    }
}

/// With https the prefix keeps other hosts of the domain from setting it (RFC 6265bis section
/// 4.1.3.1). The longer prefix `__Host-` would need the path `/`.
const NAMES: [&str; 2] = ["jackfield-device", "__Secure-jackfield-device"];

/// Outside the session: its cookie stands before this one.
pub(in crate::web) async fn leave(State(app): State<AppHandle>, mut response: Response) -> Response {
    if let Some(DeviceCookie(value)) = response.extensions_mut().remove() {
        let is_https = app.url_prefix.is_https();
        let cookie = Cookie::build((NAMES[usize::from(is_https)], value)).path(PATH).http_only(true);
        let cookie = cookie.same_site(SameSite::Lax).secure(is_https).max_age(LIFETIME);
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}
