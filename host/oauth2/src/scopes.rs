//! Requested and granted scopes (RFC 6749 sections 3.3 and 5.1).

use jackfield_plugin_abi::envelope::{OAuth2, State};
use serde::Serialize;
use serde_json::Value;

/// Requested and granted scopes, sorted, as the setup's state holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ScopeComparison {
    requested_scopes: Vec<String>,
    granted_scopes: Vec<String>,
    /// Requested and not granted.
    missing_scopes: Vec<String>,
    /// The same for the person's own token, which Slack gives besides the bot's.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Box<ScopeComparison>>,
}

/// Slack's parameter for the person's own scopes.
const USER_SCOPE: &str = "user_scope";
/// The member of Slack's answer that names the granted ones.
const USER: &str = "authed_user";

/// Requests a refresh token (OpenID Connect Core 1.0 section 11).
const OFFLINE: &str = "offline_access";

impl ScopeComparison {
    /// Compares the scopes that a token answer grants with the requested ones.
    pub(super) fn of_answer(oauth2: &OAuth2, answer: &State) -> Self {
        let answer = Value::Object(answer.clone());
        let tokens = answer.pointer(&oauth2.token_pointer);
        let granted = tokens.and_then(named).or_else(|| named(&answer));
        let mut scopes = Self::new(oauth2.scopes.clone(), granted.map(|granted| with_offline(oauth2, granted, tokens)));
        let requested = oauth2.authorize_parameters.iter().find(|(name, _)| name == USER_SCOPE);
        if let Some((_, requested)) = requested.filter(|(_, scopes)| !scopes.is_empty()) {
            // A person who grants nothing gets no token here, so a scope that is not named is not
            // granted.
            let granted = answer.get(USER).and_then(named).unwrap_or_default();
            scopes.user = Some(Box::new(Self::new(split(requested), Some(granted))));
        }
        scopes
    }

    /// RFC 6749 section 5.1: an answer that names no scopes grants the requested ones.
    fn new(requested: Vec<String>, granted: Option<Vec<String>>) -> Self {
        let requested = sorted_scopes(requested);
        let granted = granted.map_or_else(|| requested.clone(), sorted_scopes);
        let missing = requested.iter().filter(|scope| !granted.contains(scope)).cloned().collect();
        Self { requested_scopes: requested, granted_scopes: granted, missing_scopes: missing, user: None }
    }

    /// Scopes that were requested and not granted, of all tokens.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        let users = self.user.iter().flat_map(|user| &user.missing_scopes);
        self.missing_scopes.iter().chain(users).map(String::as_str)
    }
}

/// If a refresh token comes, the scope that requests it is granted. Microsoft does not name it.
fn with_offline(oauth2: &OAuth2, mut granted: Vec<String>, tokens: Option<&Value>) -> Vec<String> {
    let refresh_token = tokens.and_then(|tokens| tokens.get("refresh_token")).and_then(Value::as_str);
    if refresh_token.is_some_and(|token| !token.is_empty()) {
        granted.extend(oauth2.scopes.iter().find(|scope| *scope == OFFLINE).cloned());
    }
    granted
}

/// Scopes in order, each once.
#[must_use]
pub fn sorted_scopes(mut scopes: Vec<String>) -> Vec<String> {
    scopes.sort();
    scopes.dedup();
    scopes
}

/// The scopes that an object names; `None` if it has no such member. Some providers call it
/// `scopes`, and some send a list.
fn named(object: &Value) -> Option<Vec<String>> {
    match object.get("scope").or_else(|| object.get("scopes"))? {
        Value::String(text) => Some(split(text)),
        Value::Array(list) => Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => None,
    }
}

/// Splits at spaces (RFC 6749 section 3.3) and at commas. No known scope contains a comma.
fn split(text: &str) -> Vec<String> {
    text.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compared(oauth2: &OAuth2, answer: &Value) -> Value {
        let scopes = ScopeComparison::of_answer(oauth2, answer.as_object().expect("an object"));
        serde_json::to_value(scopes).expect("plain JSON")
    }

    fn asking(scopes: &[&str]) -> OAuth2 {
        OAuth2::new("https://a/", "https://t/").scopes(scopes.iter().copied())
    }

    #[test]
    fn granted_scopes_are_read_in_every_format_and_compared() {
        // RFC 6749 sections 3.3 and 5.1.
        let cases = [
            (json!({"scope": "b a"}), json!(["a", "b"]), json!([])),
            (json!({"scope": "b,a,c"}), json!(["a", "b", "c"]), json!([])),
            (json!({"scopes": ["a"]}), json!(["a"]), json!(["b"])),
            (json!({"scope": "A"}), json!(["A"]), json!(["a", "b"])),
            (json!({"scope": ""}), json!([]), json!(["a", "b"])),
            (json!({}), json!(["a", "b"]), json!([])),
            (json!({"scope": null}), json!(["a", "b"]), json!([])),
        ];
        for (answer, granted, missing) in cases {
            let all = json!({"requested_scopes": ["a", "b"], "granted_scopes": granted, "missing_scopes": missing});
            assert_eq!(compared(&asking(&["b", "a"]), &answer), all, "{answer}");
        }
    }

    #[test]
    fn scopes_are_found_beside_nested_tokens() {
        let answer = json!({"data": {"access_token": "t", "scope": "a"}});
        assert_eq!(compared(&asking(&["a", "b"]).token_pointer("/data"), &answer)["missing_scopes"], json!(["b"]));
    }

    #[test]
    fn the_scope_for_a_refresh_token_is_granted_if_one_comes() {
        // OpenID Connect Core 1.0 section 11.
        let oauth2 = asking(&["offline_access", "User.Read"]);
        let missing = |answer: Value| compared(&oauth2, &answer)["missing_scopes"].clone();
        assert_eq!(missing(json!({"scope": "User.Read", "refresh_token": "r"})), json!([]));
        assert_eq!(missing(json!({"scope": "User.Read"})), json!(["offline_access"]));
        assert_eq!(missing(json!({"scope": "User.Read", "refresh_token": ""})), json!(["offline_access"]));
        let granted = compared(&asking(&["User.Read"]), &json!({"scope": "User.Read", "refresh_token": "r"}));
        assert_eq!(granted["granted_scopes"], json!(["User.Read"]), "it was not requested");
    }

    #[test]
    fn slacks_user_scopes_are_compared_apart_from_its_bot_scopes() {
        let oauth2 = asking(&["commands"]).authorize_parameter("user_scope", "search:read,users:read");
        let answer = json!({"scope": "commands", "authed_user": {"id": "U1", "scope": "search:read"}});
        let scopes = compared(&oauth2, &answer);
        assert_eq!(scopes["missing_scopes"], json!([]));
        assert_eq!(scopes["user"]["granted_scopes"], json!(["search:read"]));
        let scopes = ScopeComparison::of_answer(&oauth2, answer.as_object().expect("an object"));
        assert_eq!(scopes.missing().collect::<Vec<_>>(), ["users:read"]);
    }
}
