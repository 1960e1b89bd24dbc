//! What a token opens that is limited to some integrations.
//!
//! The rule stands here and not in the handlers: it goes by the route, and a route that it does
//! not know is closed. A list of integrations is open, and its handler shows those of the token.

use axum::{
    extract::{FromRequestParts, MatchedPath, Path},
    http::request::Parts,
};
use serde::Deserialize;

use super::error::{Problem, WebError};
use jackfield_services::{accounts::Access, integrations::IntegrationId};

const WHOLE_ORGANIZATION: &str =
    "This token is limited to some integrations, and this concerns the whole organization.";

#[derive(Deserialize)]
struct IntegrationPath {
    id: String,
}

/// Where a route leads, for a token that is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// To one integration, by its id.
    One,
    /// To a list that shows no others than those of the token, or to nobody's in particular.
    Open,
    /// To something else.
    Closed,
}

/// Refuses what is not open to a token. An integration that is not does not exist for it.
pub(super) async fn check(parts: &mut Parts, access: &Access) -> Result<(), WebError> {
    if access.limit().is_none() {
        return Ok(());
    }
    let route = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned());
    match reach(route.as_deref().unwrap_or_default()) {
        Reach::Open => Ok(()),
        Reach::Closed => Err(Problem::MissingScope.because(WHOLE_ORGANIZATION)),
        Reach::One => {
            let path = Path::<IntegrationPath>::from_request_parts(parts, &()).await;
            let id: Option<IntegrationId> = path.ok().and_then(|Path(path)| path.id.parse().ok());
            let is_open = id.is_some_and(|id| access.may_use(id));
            if is_open { Ok(()) } else { Err(Problem::NotFound.into()) }
        }
    }
}

fn reach(route: &str) -> Reach {
    let below = route.strip_prefix("/api/0/organizations/{org}/").unwrap_or_default();
    match below {
        "integrations/" | "config/integrations/" => Reach::Open,
        _ if below.starts_with("integrations/{id}/") => Reach::One,
        _ => Reach::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_is_not_known_to_be_of_integrations_is_closed() {
        let cases = [
            ("integrations/", Reach::Open),
            ("config/integrations/", Reach::Open),
            ("integrations/{id}/", Reach::One),
            ("integrations/{id}/grants/", Reach::One),
            ("integrations/{id}/proxy/{*path}", Reach::One),
            ("integrations/{name}/", Reach::Closed),
            ("audit/", Reach::Closed),
            ("revocations/", Reach::Closed),
            ("tokens/{id}/", Reach::Closed),
            ("", Reach::Closed),
        ];
        for (below, expected) in cases {
            assert_eq!(reach(&format!("/api/0/organizations/{{org}}/{below}")), expected, "{below}");
        }
        assert_eq!(reach("/integrations/{id}/"), Reach::Closed);
    }
}
