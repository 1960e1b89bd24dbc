//! Calls of a service's own API, through this host.

use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, header::ALLOW},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::BodyStream;

use super::selector::selector;
use crate::{
    app::AppHandle,
    web::{
        auth::{IntegrationAccess, require},
        error::{FromService, Problem, WebError},
    },
};
use jackfield_services::{
    accounts::Scope,
    proxy::{ProxyError, ProxyRequest, ResponseBody},
};

/// The methods of RFC 9110 and RFC 5789 that are passed on, for `Allow`; others are too.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Names the grant to use. A header, because the query belongs to the service.
const GRANT: &str = "jackfield-grant";
/// Names the identity that the grant acts for.
const SUBJECT: &str = "jackfield-subject";

/// `ANY /api/0/organizations/{org}/integrations/{id}/proxy/{path}`: the service's answer to the
/// same request with the integration's credential, streamed. Scope `integrations:proxy`, which no
/// role has.
pub(in crate::web) async fn proxy(
    State(app): State<AppHandle>,
    IntegrationAccess { access, grants }: IntegrationAccess,
    route: MatchedPath,
    request: Request,
) -> Result<Response, WebError> {
    require(&access, Scope::IntegrationsProxy)?;
    let (head, body) = request.into_parts();
    let has_body = !body.is_end_stream();
    let call = ProxyRequest {
        actor: access.actor,
        organization: access.organization.id,
        grants,
        grant: selector(named(&head.headers, GRANT)?, named(&head.headers, SUBJECT)?)?,
        path: raw_path(route.as_str(), head.uri.path()).to_owned(),
        query: head.uri.query().map(str::to_owned),
        method: head.method.clone(),
        body: has_body.then(|| BodyStream::new(body).map_err(std::io::Error::other).boxed()),
        headers: head.headers,
    };
    // Boxed: the future of a call is large, and this one holds it while it waits.
    let response = match Box::pin(app.proxy.call(call)).await {
        Err(error @ ProxyError::Method(_)) => return Ok(([(ALLOW, METHODS)], WebError::from(error)).into_response()),
        response => response?,
    };
    let body = |body: Option<ResponseBody>| body.map_or_else(Body::empty, Body::new);
    let mut response = response.map(body).into_response();
    response.extensions_mut().insert(FromService);
    Ok(response)
}

/// The part of a path that the wildcard of its route matches, as the caller wrote it: a decoded
/// one would be another path. Empty for a route without a wildcard.
fn raw_path<'a>(route: &str, path: &'a str) -> &'a str {
    let segments_before = route.split('/').take_while(|segment| !segment.starts_with("{*")).count();
    path.splitn(segments_before + 1, '/').nth(segments_before).unwrap_or_default()
}

fn named(headers: &HeaderMap, name: &str) -> Result<String, WebError> {
    let Some(value) = headers.get(name) else { return Ok(String::new()) };
    let text =
        value.to_str().map_err(|_| Problem::BadRequest.because("The headers that name a grant must be plain text."))?;
    Ok(text.to_owned())
}

const BAD_API: &str = "The API URL of this provider (api-url, or from its plugin) is not usable: it is not a URL, or it has \
     a query or a fragment.";
const BAD_API_HEADER: &str = "This provider adds a header that is not valid to each call (api-headers, or from its \
     plugin). The log names it.";

impl From<ProxyError> for WebError {
    fn from(error: ProxyError) -> Self {
        let proxy_status = error.proxy_status();
        let answer = match error {
            ProxyError::Grant(error) => error.into(),
            ProxyError::Store(error) => error.into(),
            ProxyError::Busy(_) => Problem::Busy.until(std::time::Duration::from_secs(1)),
            ProxyError::NoApiOfPlugin => {
                Problem::NoApi.because("The plugin of this provider gives no API URL (`Provider::api`).")
            }
            ProxyError::BadApi => Problem::Misconfigured.caused_by(&error).with_detail(BAD_API),
            ProxyError::Header(_) => Problem::Misconfigured.caused_by(&error).with_detail(BAD_API_HEADER),
            ProxyError::Unusable => Problem::UnusableToken.caused_by(&error),
            ProxyError::NotFound => Problem::NotFound.into(),
            ProxyError::NoGrant => Problem::NoGrant.into(),
            ProxyError::NoApi => Problem::NoApi.into(),
            ProxyError::NoProvider => Problem::NoProvider.into(),
            ProxyError::Method(_) => Problem::MethodNotAllowed.into(),
            ProxyError::Upgrade => Problem::UpgradeRefused.into(),
            ProxyError::Path(_) => Problem::BadPath.into(),
            ProxyError::OutOfReach => Problem::HostNotAllowed.into(),
            ProxyError::TooLarge(_) => Problem::TooLarge.into(),
            ProxyError::BodyCut => Problem::BodyCut.into(),
            // The cause may name an internal address, so it is only in the log.
            ProxyError::Outbound(error) if error.is_timeout() => Problem::TimedOut.into(),
            ProxyError::Outbound(_) | ProxyError::UnexpectedStatus(_) => Problem::Unreachable.into(),
        };
        answer.with_proxy_status(proxy_status)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use jackfield_services::grants::GrantError;

    #[test]
    fn mistakes_of_an_operator_or_author_say_what_they_are() {
        for (error, status, code, words) in [
            (ProxyError::NoApi, 404, "no-api", "api-url"),
            (ProxyError::NoApiOfPlugin, 404, "no-api", "`Provider::api`"),
            (ProxyError::BadApi, 500, "misconfigured", "a query or a fragment"),
            (ProxyError::Header("x y".to_owned()), 500, "misconfigured", "api-headers"),
            (ProxyError::Unusable, 500, "unusable", "token"),
        ] {
            let error = WebError::from(error);
            assert_eq!((error.problem.status().as_u16(), error.problem.code()), (status, code));
            assert!(error.detail.contains(words), "{}", error.detail);
        }
    }

    #[test]
    fn the_log_and_the_answer_have_the_same_code() {
        for error in [
            ProxyError::NotFound,
            ProxyError::NoGrant,
            ProxyError::NoApi,
            ProxyError::NoApiOfPlugin,
            ProxyError::BadApi,
            ProxyError::Header(String::new()),
            ProxyError::Unusable,
            ProxyError::Busy(1),
            ProxyError::NoProvider,
            ProxyError::Method(axum::http::Method::TRACE),
            ProxyError::Upgrade,
            ProxyError::Path("dots"),
            ProxyError::OutOfReach,
            ProxyError::TooLarge(1),
            ProxyError::BodyCut,
            ProxyError::UnexpectedStatus(101),
            ProxyError::Grant(GrantError::NeedsReauthentication(String::new())),
            ProxyError::Grant(GrantError::Unavailable { reason: String::new(), retry_after: Duration::ZERO }),
        ] {
            let code = error.code();
            assert_eq!(WebError::from(error).problem.code(), code);
        }
    }

    #[test]
    fn the_raw_path_is_what_the_wildcard_matches() {
        let route = "/organizations/{org}/proxy/{*path}";
        for (path, expected) in [
            ("/organizations/acme/proxy/a/b", "a/b"),
            ("/organizations/acme/proxy/a%2Fb//", "a%2Fb//"),
            ("/organizations/a%2Fb/proxy/https://elsewhere.example/", "https://elsewhere.example/"),
        ] {
            assert_eq!(raw_path(route, path), expected, "{path}");
        }
        assert_eq!(raw_path("/organizations/{org}/proxy/", "/organizations/acme/proxy/"), "");
    }
}
