//! The authorize pages.

use std::sync::Arc;

use askama::Template;
use axum::{
    Extension, Form,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde::Deserialize;
use url::Url;

use super::{
    behaviour::{Behaviour, Consent, Install, Team},
    grant::{ApiVersion, Grant},
    received::Received,
    shared::Shared,
};
use crate::stand_in::locked;

pub(super) async fn v1(State(shared): State<Arc<Shared>>, Extension(received): Extension<Received>) -> Response {
    authorize(&shared, ApiVersion::V1, &received)
}

pub(super) async fn v2(State(shared): State<Arc<Shared>>, Extension(received): Extension<Received>) -> Response {
    authorize(&shared, ApiVersion::V2, &received)
}

/// The authorization request, which the page carries in hidden fields.
#[derive(Clone, Deserialize)]
struct AuthorizeRequest {
    api: String,
    client_id: String,
    redirect_uri: String,
    scope: String,
    #[serde(default)]
    user_scope: String,
    /// The chosen workspace; before the choice, the one in the request.
    team: String,
    #[serde(default)]
    state: String,
}

fn authorize(shared: &Shared, api: ApiVersion, received: &Received) -> Response {
    let given = |name| received.parameter(name).unwrap_or_default().to_owned();
    let request = AuthorizeRequest {
        api: if api == ApiVersion::V1 { "v1" } else { "v2" }.to_owned(),
        client_id: given("client_id"),
        redirect_uri: given("redirect_uri"),
        scope: given("scope"),
        user_scope: given("user_scope"),
        team: given("team"),
        state: given("state"),
    };
    if request.client_id != shared.client.id {
        return (StatusCode::OK, Html("<h1>Please specify client_id.</h1>")).into_response();
    }
    let behaviour = locked(&shared.behaviour).clone();
    let response = match behaviour.consent {
        Consent::Ask => page(&request, &behaviour),
        Consent::Allow => back(shared, &request, true),
        Consent::Deny => back(shared, &request, false),
    };
    with_opener_policy(&behaviour, response)
}

fn with_opener_policy(behaviour: &Behaviour, mut response: Response) -> Response {
    if behaviour.coop {
        let same_origin = HeaderValue::from_static("same-origin");
        response.headers_mut().insert("cross-origin-opener-policy", same_origin);
    }
    response
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    request: &'a AuthorizeRequest,
    /// Host of the redirect URI.
    asker: String,
    teams: Vec<Team>,
    scopes: Vec<&'a str>,
}

fn page(request: &AuthorizeRequest, behaviour: &Behaviour) -> Response {
    let scopes = [&request.scope, &request.user_scope].into_iter().flat_map(|scopes| scopes.split([',', ' ']));
    let scopes = scopes.filter(|scope| !scope.is_empty()).collect();
    let asker = Url::parse(&request.redirect_uri).map_or_else(|_| String::new(), |url| url.authority().to_owned());
    match (ConsentPage { request, asker, teams: behaviour.teams(), scopes }).render() {
        Ok(page) => Html(page).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[derive(Deserialize)]
pub(super) struct Decision {
    #[serde(flatten)]
    request: AuthorizeRequest,
    decision: String,
}

/// The user's decision on the page.
pub(super) async fn consent(State(shared): State<Arc<Shared>>, Form(decision): Form<Decision>) -> Response {
    let response = back(&shared, &decision.request, decision.decision == "allow");
    with_opener_policy(&locked(&shared.behaviour), response)
}

/// Back to the redirect URI, with a code or `access_denied` (RFC 6749 section 4.1.2).
fn back(shared: &Shared, request: &AuthorizeRequest, is_allowed: bool) -> Response {
    let Ok(mut url) = Url::parse(&request.redirect_uri) else {
        return (StatusCode::OK, Html("<h1>redirect_uri did not match any configured URIs.</h1>")).into_response();
    };
    if is_allowed {
        url.query_pairs_mut().append_pair("code", &granted(shared, request)).append_pair("state", &request.state);
    } else {
        url.query_pairs_mut().append_pair("error", "access_denied").append_pair("state", &request.state);
    }
    (StatusCode::FOUND, [(header::LOCATION, url.to_string())]).into_response()
}

/// A new code, as hard to guess as Slack's.
fn granted(shared: &Shared, request: &AuthorizeRequest) -> String {
    let behaviour = locked(&shared.behaviour).clone();
    let mut teams = behaviour.teams();
    let chosen = teams.iter().position(|team| team.id == request.team).unwrap_or_default();
    let grant = Grant {
        api: if request.api == "v1" { ApiVersion::V1 } else { ApiVersion::V2 },
        client_id: request.client_id.clone(),
        redirect_uri: request.redirect_uri.clone(),
        scope: request.scope.clone(),
        user_scope: request.user_scope.clone(),
        install: if request.api == "v1" { Install::Workspace } else { behaviour.install },
        team: teams.swap_remove(chosen),
        user_id: behaviour.user_id,
        given_at: shared.clock.now(),
    };
    shared.codes.issue(&format!("{}.", shared.client.id), grant)
}
