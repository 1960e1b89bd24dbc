//! Turns what a setup has brought into the grants that are stored. Pure.

use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::new_tokens::renewed;
use jackfield_loader::{Grant, Integration, OAuth2, Provider, State, Step, StepKind};
use jackfield_oauth2::sorted_scopes;
use jackfield_store::grants::{NewGrant, Origin, Scopes, Tokens};

/// Name of the one grant of an integration whose provider names none.
const DERIVED: &str = "access";

/// What an OAuth 2.0 step binds and no later request needs.
const SPENT: [&str; 4] = ["data", "oauth2", "id_token_claims", "userinfo"];

/// The grants of a finished setup: those that the provider names, or else the one of its token
/// answer. `person` is who has brought them, where the provider names nobody.
#[must_use]
pub fn grants_of_setup(
    provider: &Provider,
    integration: &Integration,
    state: &State,
    hosts: &[String],
    person: &str,
    now: OffsetDateTime,
    keep_alive: Option<Duration>,
) -> Vec<NewGrant> {
    let named = integration.grants.clone();
    let grants = named.unwrap_or_else(|| grant_of_answer(provider.steps(), state).into_iter().collect());
    let usable = grants.iter().filter(|grant| !grant.access_token.is_empty());
    let stored = usable.map(|grant| {
        let step = step_of(provider.steps(), &grant.step);
        let context = Tokens {
            step: grant.step.clone(),
            state: step.map(|step| needed_state(step, state)).unwrap_or_default(),
            hosts: hosts.to_vec(),
            api_url: integration.api_url.clone(),
            origin: step.and_then(described_server).map(|server| origin(server, integration, person)),
            ..Tokens::default()
        };
        let server = step.and_then(described_server);
        let is_single_use = server.and_then(|oauth2| oauth2.single_use_refresh_tokens);
        NewGrant {
            name: grant.name.clone(),
            subject: grant.subject.clone(),
            is_of_account: is_shared(grant, hosts),
            new: renewed(grant, context, scopes(server, state), is_single_use, now, keep_alive),
        }
    });
    stored.collect()
}

/// Where the tokens of a setup come from, so that a refresh token is never taken for another's.
fn origin(server: &OAuth2, integration: &Integration, person: &str) -> Origin {
    let person = match &integration.identity {
        Some(identity) => {
            let parts = [&identity.identity_type, &identity.instance, &identity.external_id];
            serde_json::to_string(&parts).unwrap_or_default()
        }
        None => person.to_owned(),
    };
    Origin { server: server.server_id(), client: server.client_id.clone(), person }
}

/// Whether a grant is the account's own. Where a person has named the server, its word is worth
/// nothing to other organizations.
const fn is_shared(grant: &Grant, hosts: &[String]) -> bool {
    grant.is_of_account && hosts.is_empty()
}

fn grant_of_answer(steps: &[Step], state: &State) -> Option<Grant> {
    let bound_by = bound_by(steps, state);
    let pointer =
        step_of(steps, bound_by).and_then(described_server).map_or("", |oauth2| oauth2.token_pointer.as_str());
    Some(Grant::from_token_response(DERIVED, state.get("data")?.pointer(pointer)?)?.step(bound_by))
}

/// The OAuth 2.0 step that has bound the token answer, as the host's own step has noted: no other
/// server may get its tokens. Empty if it is the first.
fn bound_by<'a>(steps: &'a [Step], state: &State) -> &'a str {
    let noted = state.get("oauth2").and_then(|bound| bound.get("step")).and_then(Value::as_str).unwrap_or_default();
    let first = step_of(steps, "").map_or("", |step| step.name.as_str());
    step_of(steps, noted).map(|step| step.name.as_str()).filter(|name| *name != first).unwrap_or_default()
}

/// The OAuth 2.0 step of a name, or the first.
fn step_of<'a>(steps: &'a [Step], name: &str) -> Option<&'a Step> {
    let mut steps = steps.iter().filter(|step| matches!(step.kind, StepKind::OAuth2(_) | StepKind::OAuth2FromState));
    steps.find(|step| name.is_empty() || step.name == name)
}

fn described_server(step: &Step) -> Option<&OAuth2> {
    match &step.kind {
        StepKind::OAuth2(oauth2) => Some(oauth2),
        _ => None,
    }
}

/// What a step that depends on the state needs to give the same server again.
fn needed_state(step: &Step, state: &State) -> State {
    match step.kind {
        StepKind::OAuth2FromState => state
            .iter()
            .filter(|(key, _)| !SPENT.contains(&key.as_str()))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
        _ => State::new(),
    }
}

/// The scopes that were asked for, as the host's own step has bound them or the provider describes
/// them, and those that were granted. A server can grant none. If it does not say, it has granted
/// what was asked for (RFC 6749 section 5.1).
fn scopes(server: Option<&OAuth2>, state: &State) -> Scopes {
    let bound = |key: &str| {
        let bound = state.get("oauth2").and_then(|bound| bound.get(key)).and_then(Value::as_array)?;
        Some(sorted_scopes(bound.iter().filter_map(Value::as_str).map(str::to_owned).collect()))
    };
    let described = || server.map(|oauth2| sorted_scopes(oauth2.scopes.clone())).unwrap_or_default();
    let requested = bound("requested_scopes").unwrap_or_else(described);
    Scopes { granted: bound("granted_scopes").unwrap_or_else(|| requested.clone()), requested }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-25 12:00 UTC);

    fn state(value: Value) -> State {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn what_was_granted_is_what_the_answer_said_also_where_that_is_nothing() {
        // RFC 6749 section 5.1.
        let oauth2 = OAuth2::new("https://a/", "https://t/").scopes(["b", "a"]);
        let all = || vec!["a".to_owned(), "b".to_owned()];
        let cases = [
            (json!({}), all()),
            (json!({"oauth2": {"requested_scopes": ["b", "a"]}}), all()),
            (json!({"oauth2": {"requested_scopes": ["a", "b"], "granted_scopes": ["a"]}}), vec!["a".to_owned()]),
            (json!({"oauth2": {"requested_scopes": ["a", "b"], "granted_scopes": []}}), Vec::new()),
        ];
        for (bound, granted) in cases {
            let scopes = scopes(Some(&oauth2), &state(bound.clone()));
            let new = renewed(&Grant::new("x", "t"), Tokens::default(), scopes, None, NOW, None);
            assert_eq!((new.scopes.granted, new.scopes.requested), (granted, all()), "{bound}");
        }
    }

    #[test]
    fn a_provider_that_names_no_grants_has_that_of_its_token_answer() {
        let steps = |token_pointer: &str| {
            let oauth2 = OAuth2::new("https://a/", "https://t/").token_pointer(token_pointer);
            vec![
                Step { name: "ask".to_owned(), kind: StepKind::View },
                Step { name: "oauth2".to_owned(), kind: StepKind::OAuth2(Box::new(oauth2)) },
            ]
        };
        let answer = state(json!({"data": {"access_token": "t", "deep": {"access_token": "u"}}}));
        assert_eq!(grant_of_answer(&steps(""), &answer), Some(Grant::new("access", "t")));
        assert_eq!(grant_of_answer(&steps("/deep"), &answer), Some(Grant::new("access", "u")));
        assert_eq!(grant_of_answer(&steps("/none"), &answer), None);
        assert_eq!(grant_of_answer(&[], &State::new()), None);
        // Of two servers, the one that has given them.
        let second = OAuth2::new("https://b/", "https://u/");
        let second = Step { name: "oauth2-2".to_owned(), kind: StepKind::OAuth2(Box::new(second)) };
        let both = [steps("/deep"), vec![second]].concat();
        for (by, grant) in
            [("oauth2", Grant::new("access", "u")), ("oauth2-2", Grant::new("access", "t").step("oauth2-2"))]
        {
            let mut answer = answer.clone();
            answer.insert("oauth2".to_owned(), json!({"step": by}));
            assert_eq!(grant_of_answer(&both, &answer), Some(grant));
        }
    }

    #[test]
    fn a_grant_is_the_accounts_only_where_no_person_has_named_the_server() {
        for (hosts, is_of_account) in [(&[][..], true), (&["git.evil.example".to_owned()][..], false)] {
            assert_eq!(is_shared(&Grant::new("bot", "t").of_the_account(), hosts), is_of_account);
        }
        assert!(!is_shared(&Grant::new("user", "t"), &[]), "and only where its provider says so");
    }

    #[test]
    fn only_a_step_that_depends_on_the_state_keeps_it() {
        let bound = state(json!({"instance": "https://git.example", "data": {"access_token": "t"}}));
        let step = |kind| Step { name: "oauth2".to_owned(), kind };
        assert_eq!(
            needed_state(&step(StepKind::OAuth2FromState), &bound),
            state(json!({"instance": "https://git.example"}))
        );
        assert!(needed_state(&step(StepKind::OAuth2(Box::default())), &bound).is_empty());
    }
}
