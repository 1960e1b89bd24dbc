//! What is stored of a setup or a refresh: ids as they are, names cleaned, all of it bounded.

use jackfield_plugin_abi::envelope::{Grant, Identity, Integration, State};

use super::{
    out_of_bounds::{OutOfBounds, at_most},
    plain_text::{check_id, check_text, clean},
    reply_limits::{check_state, json_length},
};

/// Most grants of one integration.
const MOST_GRANTS: usize = 32;
/// Most scopes of a grant or an identity, and most characters of one.
const MOST_SCOPES: usize = 200;
const LONGEST_SCOPE: usize = 200;
/// Largest metadata of an integration or data of an identity, in bytes of JSON.
const LARGEST_METADATA: usize = 64 << 10;
/// Longest token, in bytes. A signed one with many claims has some thousand.
const LONGEST_TOKEN: usize = 64 << 10;
/// Longest URL, in characters.
const LONGEST_URL: usize = 2048;

/// The integration that a plugin has built, with a clean name.
///
/// # Errors
/// The first thing of which there is too much, or an id with a character that ids cannot have.
pub(crate) fn checked_integration(mut integration: Integration) -> Result<Integration, OutOfBounds> {
    check_id("the external id of the integration", &integration.external_id)?;
    integration.name = integration.name.map(|name| clean(&name)).filter(|name| !name.is_empty());
    check_metadata("the metadata of the integration", &integration.metadata)?;
    if let Some(identity) = &integration.identity {
        check_identity(identity)?;
    }
    if let Some(url) = &integration.api_url {
        check_text("the API URL of the integration", url, LONGEST_URL)?;
    }
    let grants = integration.grants.as_deref().unwrap_or_default();
    at_most("the integration", grants.len(), MOST_GRANTS, "grants")?;
    grants.iter().try_for_each(check_grant)?;
    Ok(integration)
}

/// The grant that a plugin has refreshed.
///
/// # Errors
/// As for [`checked_integration`].
pub(crate) fn checked_grant(grant: Box<Grant>) -> Result<Box<Grant>, OutOfBounds> {
    check_grant(&grant)?;
    Ok(grant)
}

/// The state of a setup after somebody has bound values into it.
///
/// # Errors
/// When it is too large.
pub(crate) fn checked_state(state: &State) -> Result<(), OutOfBounds> {
    check_state(state).map(drop)
}

fn check_grant(grant: &Grant) -> Result<(), OutOfBounds> {
    check_id("the name of a grant", &grant.name)?;
    check_id("the subject of a grant", &grant.subject)?;
    check_id("the step of a grant", &grant.step)?;
    check_id("the token type of a grant", &grant.token_type)?;
    let refresh_token = grant.refresh_token.as_ref().map_or(0, |token| token.expose().len());
    at_most("an access token", grant.access_token.expose().len(), LONGEST_TOKEN, "bytes")?;
    at_most("a refresh token", refresh_token, LONGEST_TOKEN, "bytes")?;
    check_scopes("a grant", &grant.scopes)
}

fn check_identity(identity: &Identity) -> Result<(), OutOfBounds> {
    check_id("the type of the identity", &identity.identity_type)?;
    check_id("the instance of the identity", &identity.instance)?;
    check_id("the external id of the identity", &identity.external_id)?;
    check_metadata("the data of the identity", &identity.data)?;
    check_scopes("the identity", &identity.scopes)
}

fn check_scopes(what: &str, scopes: &[String]) -> Result<(), OutOfBounds> {
    at_most(what, scopes.len(), MOST_SCOPES, "scopes")?;
    scopes.iter().try_for_each(|scope| check_text(&format!("a scope of {what}"), scope, LONGEST_SCOPE))
}

fn check_metadata(what: &str, metadata: &State) -> Result<(), OutOfBounds> {
    at_most(what, json_length(metadata), LARGEST_METADATA, "bytes of JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str) -> Integration {
        Integration::new(id).name("Acme")
    }

    #[test]
    fn what_is_within_the_limits_is_taken_as_it_is() {
        let grants = (0..32).map(|n| Grant::new(format!("g{n}"), "token").scopes(vec!["read"; 200]));
        let mut whole = named(&"é".repeat(255)).metadata("note", "m".repeat((64 << 10) - 11));
        whole.grants = Some(grants.collect());
        assert_eq!(checked_integration(whole.clone()), Ok(whole));
    }

    #[test]
    fn each_thing_has_its_limit_and_says_it() {
        let mut many = named("T1");
        many.grants = Some((0..33).map(|n| Grant::new(format!("g{n}"), "t")).collect());
        let mut identified = named("T1");
        identified.identity.insert(Identity::default()).external_id = "i".repeat(256);
        for (brought, said) in [
            (
                named(&"i".repeat(256)),
                "the external id of the integration: found 256 characters, at most 255 are taken",
            ),
            (named("T\0"), "the external id of the integration: found the character U+0000, which it cannot have"),
            (many, "the integration: found 33 grants, at most 32 are taken"),
            (
                named("T1").grant(Grant::new("g", "t").scopes(vec!["s"; 201])),
                "a grant: found 201 scopes, at most 200 are taken",
            ),
            (
                named("T1").grant(Grant::new("g", "t").scopes(["s".repeat(201)])),
                "a scope of a grant: found 201 characters, at most 200 are taken",
            ),
            (
                named("T1").metadata("note", "m".repeat((64 << 10) - 10)),
                "the metadata of the integration: found 65537 bytes of JSON, at most 65536 are taken",
            ),
            (identified, "the external id of the identity: found 256 characters, at most 255 are taken"),
        ] {
            assert_eq!(checked_integration(brought).map_err(|error| error.to_string()), Err(said.to_owned()));
        }
    }

    #[test]
    fn a_name_is_cleaned_and_an_empty_one_is_none() {
        let name = |name: &str| checked_integration(Integration::new("T1").name(name)).expect("it is taken").name;
        assert_eq!(name("\u{202e}Acme\u{1b}").as_deref(), Some("Acme"));
        assert_eq!(name("\u{202e}\0"), None);
        assert_eq!(name(&"n".repeat(300)).map(|name| name.len()), Some(200));
    }
}
