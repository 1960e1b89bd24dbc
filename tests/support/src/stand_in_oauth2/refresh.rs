//! The token endpoint, for a refresh token (RFC 6749 section 6).

use axum::response::Response;

use super::{
    request::{Rejection, ServiceRequest, expect_equal},
    responses::refused_with,
    shared::Shared,
    token::{authenticated, granted, policy},
};

pub(super) fn answer(shared: &Shared, request: &ServiceRequest<'_>) -> Result<Response, Rejection> {
    let mut given = authenticated(shared, request)?;
    expect_equal("grant_type", &given.take("grant_type")?, "refresh_token")?;
    let token = given.take("refresh_token")?;
    let scope = given.take_optional("scope")?;
    // The service's parameters of the first request may come again.
    for (name, value) in given.iter() {
        let wanted = request.profile.token_parameters.get(name);
        expect_equal(name, value, wanted.ok_or_else(|| format!("{name} is not a parameter of a refresh"))?)?;
    }
    let of_this_service = shared.tokens.family(&token).filter(|(owner, _)| owner == request.id);
    let Some((_, data)) = of_this_service else { return Ok(refused_with("invalid_grant")) };
    let granted_scope = data["scope"].as_str().unwrap_or_default();
    let separator = request.profile.separator.as_str();
    let is_granted = |scope: &str| granted_scope.split(separator).any(|granted| granted == scope);
    if scope.is_some_and(|scope| !scope.split(separator).all(is_granted)) {
        return Ok(refused_with("invalid_scope"));
    }
    match shared.tokens.refresh(&token, &policy(request)) {
        Ok(issued) => Ok(granted(request, &issued, None)),
        Err(_) => Ok(refused_with("invalid_grant")),
    }
}
