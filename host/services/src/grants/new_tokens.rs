//! The tokens of an answer, over what is known from before. Pure.

use time::{Duration, OffsetDateTime};

use super::freshness::{due_at, in_seconds};
use jackfield_loader::Grant;
use jackfield_oauth2::sorted_scopes;
use jackfield_store::grants::{NewTokens, Scopes, Tokens};

/// The tokens of a grant over those from before. What the answer does not name stays: the context,
/// the scopes (RFC 6749 sections 5.1 and 6), and the refresh token (section 6).
pub(super) fn renewed(
    grant: &Grant,
    before: Tokens,
    scopes: Scopes,
    is_single_use: Option<bool>,
    now: OffsetDateTime,
    keep_alive: Option<Duration>,
) -> NewTokens {
    let refresh_token = grant.refresh_token.as_ref().filter(|token| !token.is_empty());
    let refresh_token = refresh_token.map(|token| token.expose().to_owned()).or(before.refresh_token);
    let is_refreshable = refresh_token.is_some();
    let mut granted = if grant.scopes.is_empty() { scopes.granted } else { sorted_scopes(grant.scopes.clone()) };
    // This scope asks for a refresh token, and there is one. Some servers do not name the scope
    // then (OpenID Connect Core 1.0 section 11).
    let offline = scopes.requested.iter().find(|scope| *scope == "offline_access");
    if let Some(offline) = offline.filter(|scope| is_refreshable && !granted.contains(scope)) {
        granted = sorted_scopes([granted, vec![offline.clone()]].concat());
    }
    NewTokens {
        tokens: Tokens {
            access_token: grant.access_token.expose().to_owned(),
            refresh_token,
            token_type: grant.token_type.clone(),
            ..before
        },
        scopes: Scopes { granted, requested: scopes.requested },
        // Zero says nothing, from a plugin as from a token endpoint.
        expires_at: grant.expires_in.filter(|seconds| *seconds > 0).and_then(|seconds| in_seconds(now, seconds)),
        due_at: due_at(now, grant.refresh_token_expires_in, keep_alive).filter(|_| is_refreshable),
        is_single_use,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-25 12:00 UTC);

    #[test]
    fn what_an_answer_leaves_out_stays_as_it_was() {
        let before = Tokens { refresh_token: Some("r1".to_owned()), step: "s".to_owned(), ..Tokens::default() };
        let scopes = Scopes { granted: vec!["a".to_owned()], requested: vec!["a".to_owned(), "b".to_owned()] };
        let bare = renewed(&Grant::new("x", "t2"), before.clone(), scopes.clone(), Some(false), NOW, None);
        let expected = Tokens { access_token: "t2".to_owned(), ..before.clone() };
        assert!(bare.tokens == expected && bare.scopes == scopes && bare.expires_at.is_none());
        let full = Grant::new("x", "t2").refresh_token("r2").expires_in(60).scopes(["b", "a"]);
        let full = renewed(&full, before, scopes, Some(true), NOW, Some(Duration::days(7)));
        assert_eq!(full.tokens.refresh_token.as_deref(), Some("r2"));
        assert_eq!(full.scopes.granted, ["a", "b"]);
        assert_eq!((full.expires_at, full.due_at), (Some(NOW + Duration::MINUTE), Some(NOW + Duration::days(7))));
        assert!(full.scopes.missing().is_empty());
    }

    #[test]
    fn a_token_that_is_born_dead_is_one_of_which_nobody_says_when_it_expires() {
        let grant = Grant::new("x", "t").expires_in(0);
        assert!(renewed(&grant, Tokens::default(), Scopes::default(), None, NOW, None).expires_at.is_none());
    }

    #[test]
    fn the_scope_for_a_refresh_token_is_granted_while_there_is_one() {
        let asked = Scopes { granted: Vec::new(), requested: vec!["a".to_owned(), "offline_access".to_owned()] };
        let answer = Grant::new("x", "t").scopes(["a"]);
        let of = |grant: &Grant, before| renewed(grant, before, asked.clone(), None, NOW, None);
        let first = of(&answer.clone().refresh_token("r"), Tokens::default());
        assert_eq!(first.scopes.granted, ["a", "offline_access"]);
        assert!(of(&answer, first.tokens).scopes.missing().is_empty(), "a refresh that brings no new one");
        assert_eq!(of(&answer, Tokens::default()).scopes.missing(), ["offline_access"]);
    }
}
