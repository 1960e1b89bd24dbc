//! The use of integrations: a call of the service's own API through this host.

use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    http::{HeaderMap, request::Parts},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, TryStreamExt};

use super::integrations::parsed;
use crate::{
    app::AppHandle,
    web::{
        caller::{ApiAccess, require},
        error::{ApiError, CodedError, NO_GRANT, WebError},
    },
};
use jackfield_outbound::OutboundError;
use jackfield_services::{
    accounts::Scope,
    grants::{GrantError, GrantSelector},
    proxy::{Asked, ProxyError},
};
use jackfield_store::StoreError;

/// Names the grant that is used; the query is the service's.
const GRANT: &str = "jackfield-grant";
/// Names the identity that the grant acts for.
const SUBJECT: &str = "jackfield-subject";

/// `ANY /api/0/organizations/{org}/integrations/{id}/proxy/{path}`: the service's answer to the same request with the integration's credential,
/// as it comes. Scope `integrations:token`, which no role has.
pub(in crate::web) async fn proxy(
    State(app): State<AppHandle>,
    access: Result<ApiAccess, ApiError>,
    request: Request,
) -> Result<Response, CodedError> {
    let ApiAccess(access) = access?;
    require(&access, Scope::IntegrationsToken)?;
    let (head, body) = request.into_parts();
    let (integration, path) = behind(&head).ok_or(WebError::NotFound)?;
    let has_body = !body.is_end_stream();
    let asked = Asked {
        actor: access.actor.clone(),
        organization: access.organization.id,
        integration: parsed(integration)?,
        which: GrantSelector { name: named(&head.headers, GRANT)?, subject: named(&head.headers, SUBJECT)? },
        path: path.to_owned(),
        query: head.uri.query().map(str::to_owned),
        method: head.method.clone(),
        body: has_body.then(|| body.into_data_stream().map_err(std::io::Error::other).boxed()),
        headers: head.headers,
    };
    Ok(app.proxy.call(asked).await?.map(Body::from_stream).into_response())
}

/// The integration's id, and what stands behind `proxy/` as it was written: nothing of it is decoded.
fn behind(head: &Parts) -> Option<(&str, &str)> {
    let mut pieces = head.uri.path().splitn(9, '/').skip(6);
    let (integration, _) = (pieces.next()?, pieces.next()?);
    Some((integration, pieces.next()?))
}

fn named(headers: &HeaderMap, name: &str) -> Result<String, WebError> {
    let Some(value) = headers.get(name) else { return Ok(String::new()) };
    let text = value.to_str().map_err(|_| WebError::BadRequest("The header of a grant is plain text."))?;
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
            ProxyError::NoApi => {
                Self::Absent("Nobody has said where the API of this provider is: that is its key api-url.")
            }
            ProxyError::NoApiOfPlugin => {
                Self::Absent("The plugin of this provider does not say where its API is: it would by `Provider::api`.")
            }
            ProxyError::BadApi => misconfigured(
                "Where the API of this provider is said to be (api-url, or what its plugin answers), no path can be put behind: it is no URL, \
                 or has a query or a fragment.",
                &error,
            ),
            ProxyError::Header(_) => misconfigured(
                "The provider says that calls of its API carry a header that cannot be sent (api-headers, or what its plugin answers). The log \
                 names it.",
                &error,
            ),
            ProxyError::Unusable => misconfigured(
                "The token that the service has given is none that a header can hold. Setting the integration up again may help that.",
                &error,
            ),
            ProxyError::Busy(_) => Self::Busy { retry_after: std::time::Duration::from_secs(1) },
            ProxyError::NoProvider => Self::Absent("The provider of the integration is not loaded, or not configured."),
            ProxyError::Method(_) => Self::MethodNotAllowed,
            ProxyError::Upgrade => {
                Self::NotImplemented("Connections cannot be upgraded: WebSockets are not handed on.")
            }
            ProxyError::Path(_) => {
                Self::BadRequest("The path is refused: it holds something that servers read differently.")
            }
            ProxyError::OutOfReach => Self::Forbidden("The host is none that the provider may reach."),
            ProxyError::TooLarge(_) => Self::TooLarge("The body is larger than this host hands on."),
            ProxyError::Cut => Self::BadRequest("The body was cut."),
            ProxyError::Grant(
                error @ (GrantError::NeedsReauthentication(_)
                | GrantError::Unavailable { .. }
                | GrantError::Store(StoreError::Seal(_))),
            ) => error.into(),
            ProxyError::Outbound(OutboundError::Idle(_) | OutboundError::TimedOut(_)) => Self::GatewayTimeout,
            // What the cause says may name an address inside: it is in the log.
            ProxyError::Outbound(_) | ProxyError::Answer(_) => Self::BadGateway,
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
    fn mistakes_of_others_than_the_caller_are_told_by_what_they_are() {
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
