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
        // One that has expired already is refreshed at once. Without a refresh token it is used
        // until the service refuses it: more likely a clock is wrong.
        expires_at: expires_at(grant, now).filter(|at| is_refreshable || *at > now),
        due_at: due_at(now, refresh_token_lifetime(grant, now), keep_alive).filter(|_| is_refreshable),
        is_single_use,
    }
}

/// When an access token expires: after its lifetime, or at a time of the service's clock. A
/// lifetime of zero says nothing, from a plugin as from a token endpoint.
fn expires_at(grant: &Grant, now: OffsetDateTime) -> Option<OffsetDateTime> {
    match grant.expires_in.filter(|seconds| *seconds > 0) {
        Some(seconds) => in_seconds(now, seconds),
        None => grant.expires_at.and_then(time_of),
    }
}

/// The same of its refresh token, in seconds from now.
fn refresh_token_lifetime(grant: &Grant, now: OffsetDateTime) -> Option<u64> {
    let lifetime = grant.refresh_token_expires_in.filter(|seconds| *seconds > 0);
    let until = || grant.refresh_token_expires_at.and_then(time_of);
    lifetime.or_else(|| until().map(|at| (at - now).whole_seconds().try_into().unwrap_or_default()))
}

/// `None` for a time before 1970 or after the year 9999.
fn time_of(unix_time: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(unix_time).ok().filter(|_| unix_time > 0)
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
    fn a_time_of_the_service_counts_where_it_gives_no_lifetime() {
        let new = |grant: Grant| renewed(&grant, Tokens::default(), Scopes::default(), None, NOW, None);
        let refreshable = |answer: serde_json::Value| {
            Grant::from_token_response("x", &answer).expect("it has a token").refresh_token("r")
        };
        let at = |seconds: i64| NOW.unix_timestamp() + seconds;
        let expiry = |value: serde_json::Value| {
            new(refreshable(serde_json::json!({"access_token": "t", "expires_at": value}))).expires_at
        };
        assert_eq!(expiry(at(60).into()), Some(NOW + Duration::MINUTE));
        assert_eq!(expiry("2026-11-25T12:01:00Z".into()), Some(NOW + Duration::MINUTE));
        assert_eq!(expiry(at(-60).into()), Some(NOW - Duration::MINUTE), "it is refreshed at once");
        let last_day = Some(datetime!(9999-12-31 23:59:59 UTC));
        assert_eq!(expiry("9999-12-31T23:59:59Z".into()), last_day);
        for absurd in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00"] {
            assert_eq!(expiry(absurd.into()), None, "{absurd}");
        }
        let both = serde_json::json!({"access_token": "t", "expires_in": 5, "expires_at": at(60)});
        assert_eq!(new(refreshable(both)).expires_at, Some(NOW + Duration::seconds(5)), "no clock but ours");
        let born_dead = Grant::new("x", "t").expires_at(at(-60));
        assert_eq!(new(born_dead).expires_at, None, "nobody can refresh it");
        for (name, value, due) in [
            ("refresh_token_expires_in", serde_json::json!(60), 50),
            ("refresh_expires_in", serde_json::json!(60), 50),
            ("x_refresh_token_expires_in", serde_json::json!("60"), 50),
            ("refresh_token_expires_at", serde_json::json!(at(60)), 50),
            ("refresh_token_expires_at", serde_json::json!(at(-60)), 0),
        ] {
            let found = new(refreshable(serde_json::json!({"access_token": "t", name: value})));
            assert_eq!(found.due_at, Some(NOW + Duration::seconds(due)), "{name}");
        }
        for never in ["refresh_expires_in", "refresh_token_expires_in"] {
            assert_eq!(new(refreshable(serde_json::json!({"access_token": "t", never: 0}))).due_at, None, "{never}");
        }
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
