//! The pages that a browser sees in the place of a service's: a person allows or denies, or goes
//! back with any query that the author wants to try.

use std::sync::Arc;

use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde::Deserialize;
use url::Url;

use super::{grant::Grant, service::Service};

/// A visit of a setup's browser: the service's URL, and the setup's own.
#[derive(Deserialize)]
pub(super) struct Visit {
    url: String,
    back: String,
}

#[derive(Deserialize)]
pub(super) struct Decision {
    url: String,
    back: String,
    /// `allow` or `deny`, of an authorization request.
    #[serde(default)]
    decision: String,
    /// The query to go back with, of any other page.
    #[serde(default)]
    query: String,
}

/// An authorization request (RFC 6749 section 4.1.1).
struct AuthorizationRequest {
    endpoint: Url,
    client_id: String,
    redirect_uri: Url,
    scope: Option<String>,
    state: Option<String>,
    challenge: Option<String>,
    nonce: Option<String>,
}

#[derive(Template)]
#[template(path = "dev_visit.html")]
struct VisitPage<'a> {
    url: &'a str,
    back: &'a str,
    authorization: Option<AuthorizationRequest>,
}

impl AuthorizationRequest {
    /// `None` for a URL that does not request a code.
    fn of(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let get = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        get("response_type").filter(|wanted| wanted == "code")?;
        Some(Self {
            client_id: get("client_id").unwrap_or_default(),
            redirect_uri: Url::parse(&get("redirect_uri")?).ok()?,
            scope: get("scope"),
            state: get("state"),
            challenge: get("code_challenge"),
            nonce: get("nonce"),
            endpoint: url.clone(),
        })
    }

    /// The way back: section 4.1.2, or 4.1.2.1 after a denial. An issuer names itself in both (RFC
    /// 9207 section 2).
    fn redirect(self, service: &Service, decision: &str) -> Url {
        let mut back = self.redirect_uri.clone();
        let issuer = service.issuers.of(&self.endpoint);
        let mut query = back.query_pairs_mut();
        query.extend_pairs(issuer.iter().map(|issuer| ("iss", issuer)));
        if decision == "allow" {
            let Self { scope, challenge, client_id, nonce, .. } = self;
            let redirect_uri = self.redirect_uri.into();
            let grant = Grant { redirect_uri, scope, challenge, client_id, nonce, issuer };
            query.append_pair("code", &service.codes.issue("dev-code-", grant));
        } else {
            query.append_pair("error", "access_denied");
        }
        query.extend_pairs(self.state.map(|state| ("state", state)));
        drop(query);
        back
    }
}

/// `GET /visit`: the browser comes from the host.
pub(super) async fn show(Query(visit): Query<Visit>) -> Response {
    let page = VisitPage { authorization: AuthorizationRequest::of(&visit.url), url: &visit.url, back: &visit.back };
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// `POST /visit`: the buttons there.
pub(super) async fn decide(State(service): State<Arc<Service>>, Form(decision): Form<Decision>) -> Response {
    let back = match AuthorizationRequest::of(&decision.url) {
        Some(authorization) => Some(authorization.redirect(&service, &decision.decision)),
        None => Url::parse(&decision.back).ok().map(|mut back| {
            back.set_query(Some(&decision.query).filter(|query| !query.is_empty()).map(String::as_str));
            back
        }),
    };
    // A service knows the redirect URI of its client.
    match back.filter(|back| back.origin().ascii_serialization() == service.host) {
        Some(back) => (StatusCode::FOUND, [(header::LOCATION, back.to_string())]).into_response(),
        None => (StatusCode::BAD_REQUEST, "The redirect_uri is not this host's.").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authorization_request_differs_from_other_pages() {
        let url =
            "https://a.example/auth?response_type=code&client_id=c&redirect_uri=http%3A%2F%2Fh%2Fback%3Fx%3Dy&state=s";
        let found = AuthorizationRequest::of(url).expect("it asks for a code");
        assert_eq!((found.client_id.as_str(), found.redirect_uri.as_str()), ("c", "http://h/back?x=y"));
        for other in [
            "https://a.example/install",
            "https://a.example/?response_type=code",
            "https://a.example/?response_type=token&redirect_uri=http://h/",
            "x",
        ] {
            assert!(AuthorizationRequest::of(other).is_none(), "{other}");
        }
    }
}
