//! The token endpoint, for a refresh token (RFC 6749 section 6).

use axum::response::Response;

use super::{
    Asked, Refused, Shared, expect_equal, take, take_optional,
    token::{authenticated, granted, refused_with, terms},
};

pub(super) fn answer(shared: &Shared, asked: &Asked<'_>) -> Result<Response, Refused> {
    let mut given = authenticated(shared, asked)?;
    expect_equal("grant_type", &take(&mut given, "grant_type")?, "refresh_token")?;
    let token = take(&mut given, "refresh_token")?;
    let scope = take_optional(&mut given, "scope")?;
    // What the dialect wants of the first request may come again.
    for (name, value) in given {
        let wanted = asked.dialect.token_parameters.get(&name);
        expect_equal(&name, &value, wanted.ok_or_else(|| format!("{name} is not a parameter of a refresh"))?)?;
    }
    let of_this_service = shared.ledger.family(&token).filter(|(owner, _)| owner == asked.id);
    let Some((_, facts)) = of_this_service else { return Ok(refused_with("invalid_grant")) };
    let granted_scope = facts["scope"].as_str().unwrap_or_default();
    let separator = asked.dialect.separator.as_str();
    let is_granted = |scope: &str| granted_scope.split(separator).any(|granted| granted == scope);
    if scope.is_some_and(|scope| !scope.split(separator).all(is_granted)) {
        return Ok(refused_with("invalid_scope"));
    }
    match shared.ledger.refresh(&token, &terms(asked)) {
        Ok(pair) => Ok(granted(asked, &pair, None)),
        Err(_) => Ok(refused_with("invalid_grant")),
    }
}
