//! The client's requests to an authorization server: their parameters, the client's authentication
//! (RFC 6749 section 2.3), and the form of the body that the provider wants.
//!
//! Knows no grant: token, refresh and revocation requests all go through here.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{Request, Response, header};
use jackfield_outbound::Outbound;
use jackfield_plugin_abi::envelope::{ClientAuthentication, OAuth2, State, TokenRequest};
use serde_json::Value;
use time::OffsetDateTime;
use url::form_urlencoded;

use super::{assertion, token_error::TokenError};

/// The parameters of a request, and which of them are secret. `Debug` would show all of them, so
/// there is none.
#[derive(Clone, Default)]
pub struct Parameters {
    pairs: Vec<(String, String)>,
    secrets: Vec<String>,
}

impl Parameters {
    /// The parameters of a grant, such as `authorization_code` or `refresh_token`.
    #[must_use]
    pub fn grant(grant_type: &str) -> Self {
        Self::default().with("grant_type", grant_type)
    }

    /// Adds a parameter that may be shown.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.pairs.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a parameter that is removed from every error, because a provider may quote the request.
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.secrets.push(value.to_owned());
        }
        self.with(name, value)
    }

    #[cfg(test)]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.pairs == other.pairs && self.secrets == other.secrets
    }

    /// A text without the secrets.
    pub(super) fn redacted(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "[secret]"))
    }
}

/// Authenticates the client (RFC 6749 section 2.3.1): adds parameters for the body, or returns a
/// value for the header `Authorization`, but never both (section 2.3). All endpoints take the same.
///
/// # Errors
/// When the provider wants a method that this host does not know, or the private key is invalid.
pub fn authenticate(
    oauth2: &OAuth2,
    parameters: Parameters,
    now: OffsetDateTime,
) -> Result<(Parameters, Option<String>), TokenError> {
    let OAuth2 { client_id, client_secret, .. } = oauth2;
    match oauth2.client_authentication {
        // Metadata would have replaced `Announced`. Without an issuer there are none.
        ClientAuthentication::Post | ClientAuthentication::Discovered => {
            let parameters = parameters.with("client_id", client_id).secret("client_secret", client_secret.expose());
            Ok((parameters, None))
        }
        ClientAuthentication::Basic => {
            let mut parameters = parameters;
            parameters.secrets.extend(Some(client_secret.expose().to_owned()).filter(|secret| !secret.is_empty()));
            Ok((parameters, Some(basic(client_id, client_secret.expose()))))
        }
        ClientAuthentication::PrivateKeyJwt => {
            let assertion = assertion::assertion(oauth2, now)?;
            // RFC 7521 section 4.2 does not require the id, but some servers look the client up by
            // it.
            let parameters =
                parameters.with("client_id", client_id).with("client_assertion_type", assertion::ASSERTION_TYPE);
            Ok((parameters.secret("client_assertion", &assertion), None))
        }
        ClientAuthentication::Unknown => Err(TokenError::Unsupported("a way of client authentication")),
    }
}

/// RFC 6749 section 2.3.1: id and secret are form-encoded first, so a colon in the id does not end
/// it.
fn basic(id: &str, secret: &str) -> String {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret))))
}

/// An answer, with the parameters whose secrets must be removed from its errors.
pub(super) struct PostResponse {
    pub(super) response: Response<Vec<u8>>,
    pub(super) parameters: Parameters,
}

/// Posts parameters to an endpoint, with client authentication, in the form that the provider
/// wants.
pub(super) async fn post(
    oauth2: &OAuth2,
    url: &str,
    parameters: Parameters,
    outbound: &Outbound,
    now: OffsetDateTime,
) -> Result<PostResponse, TokenError> {
    let (parameters, authorization) = authenticate(oauth2, parameters, now)?;
    let request = request(oauth2.token_request, url, &parameters, authorization)?;
    Ok(PostResponse { response: outbound.send(request).await?, parameters })
}

/// Posts parameters to another endpoint than the token endpoint, such as that for revocation (RFC
/// 7009 section 2.1): with client authentication, and always as a form.
///
/// # Errors
/// When the endpoint is not a URL, the request fails, or the provider wants something that this
/// host does not know.
pub async fn post_form(
    oauth2: &OAuth2,
    url: &str,
    parameters: Parameters,
    outbound: &Outbound,
    now: OffsetDateTime,
) -> Result<Response<Vec<u8>>, TokenError> {
    let (parameters, authorization) = authenticate(oauth2, parameters, now)?;
    Ok(outbound.send(request(TokenRequest::Form, url, &parameters, authorization)?).await?)
}

fn request(
    form: TokenRequest,
    url: &str,
    parameters: &Parameters,
    authorization: Option<String>,
) -> Result<Request<Vec<u8>>, TokenError> {
    let (content_type, body) = body(form, &parameters.pairs)?;
    let mut request =
        Request::post(url).header(header::CONTENT_TYPE, content_type).header(header::ACCEPT, "application/json");
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    request.body(body).map_err(|_| TokenError::Url)
}

fn body(form: TokenRequest, pairs: &[(String, String)]) -> Result<(&'static str, Vec<u8>), TokenError> {
    match form {
        TokenRequest::Form => {
            let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            Ok(("application/x-www-form-urlencoded", encoded.into_bytes()))
        }
        TokenRequest::Json => {
            let object: State = pairs.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            Ok(("application/json", Value::Object(object).to_string().into_bytes()))
        }
        TokenRequest::Unknown => Err(TokenError::Unsupported("a body of the token request")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> OAuth2 {
        OAuth2::new("https://a.example/", "https://a.example/token").client("i:d", "s&t")
    }

    /// Authorization, content type and body of a request.
    fn sent(oauth2: &OAuth2) -> Result<String, String> {
        let parameters = Parameters::grant("refresh_token").secret("refresh_token", "r/1");
        let words = |error: TokenError| error.to_string();
        let (parameters, authorization) =
            authenticate(oauth2, parameters, OffsetDateTime::UNIX_EPOCH).map_err(words)?;
        let request = request(oauth2.token_request, &oauth2.token_url, &parameters, authorization).map_err(words)?;
        assert_eq!((request.method().as_str(), &*request.uri().to_string()), ("POST", "https://a.example/token"));
        let header = |name| request.headers().get(name).map_or("-", |value| value.to_str().expect("text"));
        let body = String::from_utf8_lossy(request.body());
        Ok(format!("{} {} {body}", header("authorization"), header("content-type")))
    }

    #[test]
    fn a_request_is_exact_in_every_form() {
        insta::assert_snapshot!(sent(&acme()).expect("a known form"), @"- application/x-www-form-urlencoded grant_type=refresh_token&refresh_token=r%2F1&client_id=i%3Ad&client_secret=s%26t");
        let basic = acme().client_authentication(ClientAuthentication::Basic);
        insta::assert_snapshot!(sent(&basic).expect("a known form"), @"Basic aSUzQWQ6cyUyNnQ= application/x-www-form-urlencoded grant_type=refresh_token&refresh_token=r%2F1");
        let json = acme().token_request(TokenRequest::Json);
        insta::assert_snapshot!(sent(&json).expect("a known form"), @r#"- application/json {"client_id":"i:d","client_secret":"s&t","grant_type":"refresh_token","refresh_token":"r/1"}"#);
        let both = basic.token_request(TokenRequest::Json);
        insta::assert_snapshot!(sent(&both).expect("a known form"), @r#"Basic aSUzQWQ6cyUyNnQ= application/json {"grant_type":"refresh_token","refresh_token":"r/1"}"#);
    }

    #[test]
    fn an_assertion_is_sent_without_a_secret_beside_it() {
        // RFC 7523 section 2.2, RFC 6749 section 2.3.
        let key = include_str!("../../../plugins/github-app/src/test-key.pem");
        let request = sent(&acme().private_key(key).key_id("k")).expect("a known form");
        let (head, assertion) = request.split_once("&client_assertion=").expect("it is there");
        assert_eq!(
            head,
            "- application/x-www-form-urlencoded grant_type=refresh_token&refresh_token=r%2F1&client_id=i%3Ad&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        );
        assert_eq!(assertion.split('.').count(), 3, "{assertion}");
        let refused = super::tests::sent(&acme().private_key("no key")).expect_err("it is no key");
        assert!(refused.contains("private key"), "{refused}");
    }

    #[test]
    fn what_only_a_later_version_knows_is_refused_before_anything_is_sent() {
        let cases = [
            (acme().client_authentication(ClientAuthentication::Unknown), "a way of client authentication"),
            (acme().token_request(TokenRequest::Unknown), "a body of the token request"),
        ];
        for (oauth2, what) in cases {
            let said = format!("the provider wants {what} that this host does not know; a newer host may");
            assert_eq!(sent(&oauth2), Err(said));
        }
    }

    #[test]
    fn secrets_are_redacted_with_every_method_of_authentication() {
        for method in [ClientAuthentication::Post, ClientAuthentication::Basic] {
            let parameters = Parameters::grant("authorization_code").secret("code", "c0de").secret("code_verifier", "");
            let oauth2 = acme().client_authentication(method);
            let authenticated = authenticate(&oauth2, parameters, OffsetDateTime::UNIX_EPOCH);
            let (parameters, _) = authenticated.map_err(|error| error.to_string()).expect("a known method");
            assert_eq!(parameters.redacted("bad code c0de for s&t"), "bad code [secret] for [secret]");
        }
    }
}
