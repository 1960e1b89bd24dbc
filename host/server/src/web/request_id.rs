//! The id of a request. It stands in every log line of the request, and people quote it as the
//! reference.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, Request},
    http::{Extensions, HeaderMap, request::Parts},
};
use tower_http::request_id::{MakeRequestId, RequestId};

use super::client_address::ClientAddress;

/// Makes a random id for each request.
#[derive(Clone)]
pub(super) struct RandomId;

impl MakeRequestId for RandomId {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).ok()?;
        let id = format!("{:016x}", u64::from_be_bytes(bytes));
        Some(RequestId::new(id.parse().ok()?))
    }
}

/// Longest id that is taken from a proxy.
const LONGEST_ID: usize = 64;

/// Drops an id that a stranger sent: it could forge log lines, or put its requests into the story
/// of others. The id of a trusted proxy stays, so that its log and ours speak of the same request.
pub(super) async fn without_strangers_id(mut request: Request) -> Request {
    let is_trusted = request.extensions().get::<ClientAddress>().is_some_and(|client| client.is_from_trusted_proxy);
    if !(is_trusted && has_one_plain_id(request.headers())) {
        request.headers_mut().remove(X_REQUEST_ID);
    }
    request
}

const X_REQUEST_ID: &str = "x-request-id";

fn has_one_plain_id(headers: &HeaderMap) -> bool {
    let mut ids = headers.get_all(X_REQUEST_ID).iter();
    let (Some(id), None) = (ids.next(), ids.next()) else { return false };
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    (1..=LONGEST_ID).contains(&id.len()) && id.as_bytes().iter().all(is_plain)
}

/// The request's id as text.
pub(super) fn of(extensions: &Extensions) -> Option<&str> {
    extensions.get::<RequestId>()?.header_value().to_str().ok()
}

/// Extracts the request's id.
pub(super) struct Reference(pub(super) Option<String>);

impl<S: Sync> FromRequestParts<S> for Reference {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(of(&parts.extensions).map(str::to_owned)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_short_plain_word() {
        let long = "x".repeat(LONGEST_ID + 1);
        let cases: [(&[&str], bool); 8] = [
            (&["0af7651916cd43dd8448eb211c80319c"], true),
            (&["Root=1-67891233"], false),
            (&["a.b-c_9"], true),
            (&[], false),
            (&[""], false),
            (&["a b"], false),
            (&["a", "b"], false),
            (&[&long], false),
        ];
        for (ids, expected) in cases {
            let mut headers = HeaderMap::new();
            for id in ids {
                headers.append(X_REQUEST_ID, id.parse().expect("a header value"));
            }
            assert_eq!(has_one_plain_id(&headers), expected, "{ids:?}");
        }
    }
}
