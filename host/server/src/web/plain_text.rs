//! Text from outside holds no control characters where it may go to a database or a log.
//!
//! [`guard`] looks at the path and the query of every request, so that no handler can forget it.
//! [`PlainForm`] does so for the host's own forms. What only passes through stays as it is: the
//! path and the query of a proxied call are for the service, the query of a callback or webhook is
//! for the provider.

use std::borrow::Cow;

use axum::{
    Form,
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::error::{Problem, WebError};
use jackfield_config::text::is_plain;

/// Refuses a request whose path or query holds a control character.
pub(in crate::web) async fn guard(request: Request, next: Next) -> Response {
    match check(request.uri().path(), request.uri().query().unwrap_or_default()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check(path: &str, query: &str) -> Result<(), WebError> {
    let (path, query) = ours(path, query);
    if !is_plain(&percent_decode_str(path).decode_utf8_lossy()) {
        return Err(refused("path"));
    }
    if !pairs(query.as_bytes()).all(|(name, value)| is_plain(&name) && is_plain(&value)) {
        return Err(refused("query"));
    }
    Ok(())
}

/// The parts of a path and of a query that the host itself reads.
fn ours<'a>(path: &'a str, query: &'a str) -> (&'a str, &'a str) {
    let segments: Vec<&str> = path.split('/').collect();
    match segments[..] {
        ["", "api", _, "organizations", _, "integrations", _, "proxy", ..] => {
            let length: usize = segments[..8].iter().map(|segment| segment.len() + 1).sum();
            (&path[..length - 1], "")
        }
        ["", "extensions", ..] => (path, ""),
        _ => (path, query),
    }
}

fn pairs(text: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(text)
}

fn refused(place: &str) -> WebError {
    Problem::BadText.because(format!("The {place} holds a control character, such as NUL or a line end. Remove it."))
}

/// A posted form of the host's own, without control characters but tabs and line ends.
pub(in crate::web) struct PlainForm<T>(pub(in crate::web) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for PlainForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let body = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await;
        let body = body.map_err(IntoResponse::into_response)?;
        if !is_form_plain(&body) {
            return Err(refused("form").into_response());
        }
        let form = Form::from_request(Request::from_parts(parts, Body::from(body)), state).await;
        form.map(|Form(form)| Self(form)).map_err(IntoResponse::into_response)
    }
}

/// Whether a form may be read.
pub(in crate::web) fn is_form_plain(body: &[u8]) -> bool {
    let is_plain = |text: &str| text.split(['\t', '\r', '\n']).all(is_plain);
    pairs(body).all(|(name, value)| is_plain(&name) && is_plain(&value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_refused_in_what_the_host_reads() {
        let proxy = "/api/0/organizations/acme/integrations/1/proxy/a%00b";
        for (path, query, is_allowed) in [
            ("/organizations/acme/integrations/", "cursor=a", true),
            ("/organizations/M%C3%BCller/", "q=a%20b&c", true),
            ("/organizations/a%00b/integrations/", "", false),
            ("/organizations/a%0Ab/", "", false),
            ("/organizations/a%C2%9Bb/", "", false),
            ("/organizations/acme/audit/", "provider=a%00", false),
            ("/organizations/acme/audit/", "a%00=b", false),
            (proxy, "q=a%00", true),
            ("/api/0/organizations/a%00b/integrations/1/proxy/a", "", false),
            ("/extensions/slack/setup/", "error_description=a%0Ab", true),
            ("/extensions/sl%00ck/setup/", "", false),
        ] {
            assert_eq!(check(path, query).is_ok(), is_allowed, "{path} {query}");
        }
    }

    #[test]
    fn a_form_may_have_lines_and_nothing_else_of_the_kind() {
        for (form, is_allowed) in
            [("a=b%0D%0Ac%09d", true), ("a=b%00", false), ("a%1B=b", false), ("a=%C2%9B", false), ("", true)]
        {
            assert_eq!(is_form_plain(form.as_bytes()), is_allowed, "{form}");
        }
    }
}
