//! The use of integrations: a call of the service's own API through this host.

use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Path, Request, State, rejection::PathRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, TryStreamExt};
use serde::Deserialize;

use super::integrations::parsed;
use crate::{
    app::AppHandle,
    web::{
        auth::{ApiAccess, require},
        error::{ApiError, CodedError, NO_GRANT, WebError},
    },
};
use jackfield_services::{
    StoreError,
    accounts::Scope,
    grants::{GrantError, Which},
    proxy::{ProxyError, ProxyRequest},
};

/// Names the grant to use. A header, because the query belongs to the service.
const GRANT: &str = "jackfield-grant";
/// Names the identity that the grant acts for.
const SUBJECT: &str = "jackfield-subject";

#[derive(Deserialize)]
pub(in crate::web) struct ProxyPath {
    id: String,
}

/// `ANY /api/0/organizations/{org}/integrations/{id}/proxy/{path}`: sends the request to the service
/// with the integration's credential, and streams the answer. Scope `integrations:token`, which no
/// role has.
pub(in crate::web) async fn proxy(
    State(app): State<AppHandle>,
    access: Result<ApiAccess, ApiError>,
    path: Result<Path<ProxyPath>, PathRejection>,
    route: MatchedPath,
    request: Request,
) -> Result<Response, CodedError> {
    let ApiAccess(access) = access?;
    require(&access, Scope::IntegrationsToken)?;
    let Path(ProxyPath { id }) = path.map_err(|_| WebError::NotFound)?;
    let (head, body) = request.into_parts();
    let path = raw_path(route.as_str(), head.uri.path()).ok_or(WebError::NotFound)?;
    let has_body = !body.is_end_stream();
    let request = ProxyRequest {
        actor: access.actor.clone(),
        organization: access.organization.id,
        integration: parsed(&id)?,
        grant: Which { name: named(&head.headers, GRANT)?, subject: named(&head.headers, SUBJECT)? },
        path: path.to_owned(),
        query: head.uri.query().map(str::to_owned),
        method: head.method.clone(),
        body: has_body.then(|| body.into_data_stream().map_err(std::io::Error::other).boxed()),
        headers: head.headers,
    };
    Ok(app.proxy.call(request).await?.map(Body::from_stream).into_response())
}

/// The part of a path that the wildcard of its route matches, as the caller wrote it: a decoded one
/// would be another path. Empty for a route without a wildcard.
fn raw_path<'a>(route: &str, path: &'a str) -> Option<&'a str> {
    let fixed = route.split_once("{*").map_or(route, |(fixed, _)| fixed);
    let segments = fixed.matches('/').count();
    path.splitn(segments + 1, '/').nth(segments)
}

fn named(headers: &HeaderMap, name: &str) -> Result<String, WebError> {
    let Some(value) = headers.get(name) else { return Ok(String::new()) };
    let text = value.to_str().map_err(|_| WebError::BadRequest("The headers that name a grant must be plain text."))?;
    Ok(text.to_owned())
}

impl From<ProxyError> for CodedError {
    fn from(error: ProxyError) -> Self {
        Self { code: error.code(), error: error.into() }
    }
}

impl From<ProxyError> for WebError {
    fn from(error: ProxyError) -> Self {
        match error {
            ProxyError::NotFound => Self::NotFound,
            ProxyError::NoGrant => NO_GRANT,
            ProxyError::NoApi => Self::Absent("The operator has not set the API URL of this provider (api-url)."),
            ProxyError::NoApiOfPlugin => {
                Self::Absent("The plugin of this provider gives no API URL (`Provider::api`).")
            }
            ProxyError::BadApi => misconfigured(
                "The API URL of this provider (api-url, or from its plugin) is not usable: it is not a URL, or it has a query or a fragment.",
                &error,
            ),
            ProxyError::Header(_) => misconfigured(
                "This provider adds a header that is not valid to each call (api-headers, or from its plugin). The log names it.",
                &error,
            ),
            ProxyError::Unusable => misconfigured(
                "The service's token cannot be sent in a header. Reconnect the integration to get another.",
                &error,
            ),
            ProxyError::Busy(_) => Self::Busy { retry_after: std::time::Duration::from_secs(1) },
            ProxyError::NoProvider => Self::Absent("The integration's provider is not loaded, or not configured."),
            ProxyError::Method(_) => Self::MethodNotAllowed,
            ProxyError::Upgrade => {
                Self::NotImplemented("The proxy does not upgrade connections, so it cannot forward WebSockets.")
            }
            ProxyError::Path(_) => {
                Self::BadRequest("The path holds something that servers read differently, so it is refused.")
            }
            ProxyError::OutOfReach => Self::Forbidden("The provider may not reach this host."),
            ProxyError::TooLarge(_) => Self::TooLarge("The body is larger than the proxy accepts."),
            ProxyError::BodyCut => Self::BadRequest("The body was cut off."),
            ProxyError::Grant(
                error @ (GrantError::NeedsReauthentication(_)
                | GrantError::Unavailable { .. }
                | GrantError::Store(StoreError::Seal(_))),
            ) => error.into(),
            ProxyError::Outbound(error) if error.is_timeout() => Self::GatewayTimeout,
            // The cause may name an internal address, so it is only in the log.
            ProxyError::Outbound(_) | ProxyError::UnexpectedStatus(_) => Self::BadGateway,
            error @ (ProxyError::Grant(_) | ProxyError::Store(_)) => Self::Internal(error.to_string()),
        }
    }
}

fn misconfigured(detail: &'static str, cause: &ProxyError) -> WebError {
    WebError::Misconfigured { detail, cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_raw_path_is_what_the_wildcard_matches() {
        let route = "/organizations/{org}/proxy/{*path}";
        for (path, expected) in [
            ("/organizations/acme/proxy/a/b", "a/b"),
            ("/organizations/acme/proxy/a%2Fb//", "a%2Fb//"),
            ("/organizations/a%2Fb/proxy/https://elsewhere.example/", "https://elsewhere.example/"),
        ] {
            assert_eq!(raw_path(route, path), Some(expected), "{path}");
        }
        assert_eq!(raw_path("/organizations/{org}/proxy/", "/organizations/acme/proxy/"), Some(""));
    }

    #[test]
    fn mistakes_of_an_operator_or_author_say_what_they_are() {
        for (error, status, code, words) in [
            (ProxyError::NoApi, 404, "no-api", "api-url"),
            (ProxyError::NoApiOfPlugin, 404, "no-api", "`Provider::api`"),
            (ProxyError::BadApi, 500, "misconfigured", "a query or a fragment"),
            (ProxyError::Header("x y".to_owned()), 500, "misconfigured", "api-headers"),
            (ProxyError::Unusable, 500, "unusable", "token"),
        ] {
            let CodedError { code: found, error } = error.into();
            assert_eq!((error.status().as_u16(), found), (status, code));
            assert!(error.detail().contains(words), "{}", error.detail());
        }
    }
}
