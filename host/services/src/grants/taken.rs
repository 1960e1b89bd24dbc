//! From what a set-up has brought to the grants that are stored.

use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::freshness::{due_at, in_seconds};
use jackfield_loader::{Grant, Integration, OAuth2, Provider, State, Step, StepKind};
use jackfield_store::grants::{NewGrant, NewTokens, Scopes, Tokens};

/// What the one grant of an integration is called whose provider names none.
const DERIVED: &str = "access";

/// What an OAuth 2.0 step binds and no later question needs: the token answer is spent, the others are used up.
const SPENT: [&str; 4] = ["data", "oauth2", "id_token_claims", "userinfo"];

/// The grants of a finished set-up: those that the provider names, or else the one of its token answer.
#[must_use]
pub fn taken(
    provider: &Provider,
    integration: &Integration,
    state: &State,
    hosts: &[String],
    now: OffsetDateTime,
    keep_alive: Option<Duration>,
) -> Vec<NewGrant> {
    let named = integration.grants.clone().unwrap_or_else(|| derived(provider.steps(), state).into_iter().collect());
    let usable = named.into_iter().filter(|grant| !grant.access_token.is_empty());
    usable
        .map(|grant| {
            let step = step_of(provider.steps(), &grant.step);
            let context = Tokens {
                step: grant.step.clone(),
                state: step.map(|step| needed(step, state)).unwrap_or_default(),
                hosts: hosts.to_vec(),
                api_url: integration.api_url.clone(),
                ..Tokens::default()
            };
            let server = step.and_then(fixed);
            let scopes = scopes(server, state);
            let single_use = server.and_then(|oauth2| oauth2.single_use_refresh_tokens);
            NewGrant {
                name: grant.name.clone(),
                subject: grant.subject.clone(),
                new: renewed(&grant, context, scopes, single_use, now, keep_alive),
            }
        })
        .collect()
}

/// The tokens of a grant over what is kept from before: context, scopes that the answer does not name (RFC 6749 sections 5.1 and 6), the
/// refresh token where no new one came (section 6).
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
    let mut granted = if grant.scopes.is_empty() { scopes.granted } else { sorted(grant.scopes.clone()) };
    // It asks for a refresh token, and one is there: granted, also by a server that does not name it (OpenID Connect Core 1.0 section 11).
    let offline = scopes.requested.iter().find(|scope| *scope == "offline_access");
    if let Some(offline) = offline.filter(|scope| is_refreshable && !granted.contains(scope)) {
        granted = sorted([granted, vec![offline.clone()]].concat());
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

fn derived(steps: &[Step], state: &State) -> Option<Grant> {
    let bound_by = bound_by(steps, state);
    let pointer = step_of(steps, bound_by).and_then(fixed).map_or("", |oauth2| oauth2.token_pointer.as_str());
    Some(Grant::from_token_response(DERIVED, state.get("data")?.pointer(pointer)?)?.step(bound_by))
}

/// Which of several OAuth 2.0 steps has bound the token answer, as the host's own step has noted: its tokens are no other server's to hear.
/// Empty where it is the first.
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

fn fixed(step: &Step) -> Option<&OAuth2> {
    match &step.kind {
        StepKind::OAuth2(oauth2) => Some(oauth2),
        _ => None,
    }
}

/// What a step that depends on the state needs to say the same again.
fn needed(step: &Step, state: &State) -> State {
    match step.kind {
        StepKind::OAuth2FromState => state
            .iter()
            .filter(|(key, _)| !SPENT.contains(&key.as_str()))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
        _ => State::new(),
    }
}

/// The scopes that were asked for, as the host's own step has bound them, or as the provider describes it; and those that were granted. None at
/// all can be granted: only where nothing is said of it are they those that were asked for (RFC 6749 section 5.1).
fn scopes(server: Option<&OAuth2>, state: &State) -> Scopes {
    let bound = |key: &str| {
        let bound = state.get("oauth2").and_then(|bound| bound.get(key)).and_then(Value::as_array)?;
        Some(sorted(bound.iter().filter_map(Value::as_str).map(str::to_owned).collect()))
    };
    let described = || server.map(|oauth2| sorted(oauth2.scopes.clone())).unwrap_or_default();
    let requested = bound("requested_scopes").unwrap_or_else(described);
    Scopes { granted: bound("granted_scopes").unwrap_or_else(|| requested.clone()), requested }
}

fn sorted(mut scopes: Vec<String>) -> Vec<String> {
    scopes.sort();
    scopes.dedup();
    scopes
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
    fn the_scope_for_a_refresh_token_is_granted_while_there_is_one() {
        let asked = Scopes { granted: Vec::new(), requested: vec!["a".to_owned(), "offline_access".to_owned()] };
        let answer = Grant::new("x", "t").scopes(["a"]);
        let of = |grant: &Grant, before| renewed(grant, before, asked.clone(), None, NOW, None);
        let first = of(&answer.clone().refresh_token("r"), Tokens::default());
        assert_eq!(first.scopes.granted, ["a", "offline_access"]);
        assert!(of(&answer, first.tokens).scopes.missing().is_empty(), "a refresh that brings no new one");
        assert_eq!(of(&answer, Tokens::default()).scopes.missing(), ["offline_access"]);
    }

    #[test]
    fn a_provider_that_names_no_grants_has_that_of_its_token_answer() {
        let steps = |tokens_at: &str| {
            let oauth2 = OAuth2::new("https://a/", "https://t/").token_pointer(tokens_at);
            vec![
                Step { name: "ask".to_owned(), kind: StepKind::View },
                Step { name: "oauth2".to_owned(), kind: StepKind::OAuth2(Box::new(oauth2)) },
            ]
        };
        let answer = state(json!({"data": {"access_token": "t", "deep": {"access_token": "u"}}}));
        assert_eq!(derived(&steps(""), &answer), Some(Grant::new("access", "t")));
        assert_eq!(derived(&steps("/deep"), &answer), Some(Grant::new("access", "u")));
        assert_eq!(derived(&steps("/none"), &answer), None);
        assert_eq!(derived(&[], &State::new()), None);
        // Of two servers, the one that has given them.
        let second = OAuth2::new("https://b/", "https://u/");
        let second = Step { name: "oauth2-2".to_owned(), kind: StepKind::OAuth2(Box::new(second)) };
        let both = [steps("/deep"), vec![second]].concat();
        for (by, grant) in
            [("oauth2", Grant::new("access", "u")), ("oauth2-2", Grant::new("access", "t").step("oauth2-2"))]
        {
            let mut answer = answer.clone();
            answer.insert("oauth2".to_owned(), json!({"step": by}));
            assert_eq!(derived(&both, &answer), Some(grant));
        }
    }

    #[test]
    fn only_a_step_that_depends_on_the_state_keeps_it() {
        let bound = state(json!({"instance": "https://git.example", "data": {"access_token": "t"}}));
        let step = |kind| Step { name: "oauth2".to_owned(), kind };
        assert_eq!(needed(&step(StepKind::OAuth2FromState), &bound), state(json!({"instance": "https://git.example"})));
        assert!(needed(&step(StepKind::OAuth2(Box::default())), &bound).is_empty());
    }
}
