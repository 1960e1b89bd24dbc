//! The app that is registered at the stand-in, and how it authenticates.

use axum::http::{HeaderMap, header};
use base64::{Engine, prelude::BASE64_STANDARD};

use super::received::Received;

/// The app that is registered at the stand-in.
#[derive(Clone, Debug)]
pub struct Client {
    /// Client id.
    pub id: String,
    /// Client secret.
    pub secret: String,
    /// The secret that signs Slack's requests.
    pub signing_secret: String,
}

impl Default for Client {
    fn default() -> Self {
        let [id, secret, signing_secret] =
            ["1111.2222", "stand-in-secret", "stand-in-signing-secret"].map(str::to_owned);
        Self { id, secret, signing_secret }
    }
}

/// What is wrong with the client of a request, in header or form.
pub(super) fn client_error(client: &Client, received: &Received) -> Option<&'static str> {
    // Not from the query: secrets do not belong in a URL.
    let given = |name| received.field(name).unwrap_or_default().to_owned();
    let (id, secret) = basic(&received.headers).unwrap_or_else(|| (given("client_id"), given("client_secret")));
    if id != client.id { Some("invalid_client_id") } else { (secret != client.secret).then_some("bad_client_secret") }
}

/// RFC 6749 section 2.3.1, which Slack prefers to the form.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(BASE64_STANDARD.decode(value).ok()?).ok()?;
    decoded.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
}
