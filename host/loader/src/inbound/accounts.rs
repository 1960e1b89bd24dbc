//! Which accounts a call is about.

use jackfield_plugin_abi::envelope::WebhookRequest;
use serde_json::{Value, value::RawValue};

use super::place::Place;
use crate::json_path::JsonPath;

/// The accounts that a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accounts {
    /// The call names none.
    None,
    /// Every integration of the provider.
    All,
    /// These external ids, each with the part of the body that concerns it: `None` for all of it.
    Some(Vec<(String, Option<Vec<u8>>)>),
}

/// A place of the account that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AccountRule {
    pub(super) place: Place,
    pub(super) condition: Option<Place>,
    pub(super) expected: Option<String>,
}

impl AccountRule {
    /// The accounts that stand there; `None` if nothing does.
    pub(super) fn find(&self, call: &WebhookRequest, body: &Value) -> Option<Accounts> {
        if self.condition.as_ref().is_some_and(|condition| !condition.is_true(call, body)) {
            return None;
        }
        if let Place::EachOfBody(path) = &self.place {
            return each(call, body, path);
        }
        let found = self.place.find(call, body)?;
        match &self.expected {
            Some(expected) => (*expected == found).then_some(Accounts::All),
            None => Some(Accounts::Some(vec![(found, None)])),
        }
    }
}

/// The accounts in the elements of a list. If there are several, each gets its own elements and
/// none of another's.
fn each(call: &WebhookRequest, body: &Value, path: &JsonPath) -> Option<Accounts> {
    let ids: Vec<Option<String>> = body.as_array()?.iter().map(|element| path.find_text(element)).collect();
    let mut accounts: Vec<String> = Vec::new();
    for id in ids.iter().flatten() {
        if !accounts.contains(id) {
            accounts.push(id.clone());
        }
    }
    match accounts.as_slice() {
        [] => None,
        [one] if ids.iter().all(Option::is_some) => Some(Accounts::Some(vec![(one.clone(), None)])),
        _ => {
            let elements: Vec<&RawValue> = serde_json::from_slice(&call.body).ok()?;
            let part = |account: String| {
                let theirs = ids.iter().zip(&elements).filter(|(id, _)| id.as_deref() == Some(&*account));
                let theirs: Vec<&str> = theirs.map(|(_, element)| element.get()).collect();
                (account, Some(format!("[{}]", theirs.join(",")).into_bytes()))
            };
            Some(Accounts::Some(accounts.into_iter().map(part).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbound::place::json_body;

    fn found(rule: &AccountRule, body: &str) -> Option<Accounts> {
        let call = WebhookRequest::new("POST", body).with_header("shop", "acme.example");
        rule.find(&call, &json_body(&call))
    }

    fn rule(place: &str) -> AccountRule {
        AccountRule { place: Place::parse(place).expect(place), condition: None, expected: None }
    }

    #[test]
    fn one_account_gets_the_whole_call() {
        let one = |id: &str| Some(Accounts::Some(vec![(id.to_owned(), None)]));
        assert_eq!(found(&rule("body:team"), r#"{"team": "T1"}"#), one("T1"));
        assert_eq!(found(&rule("body:team"), r#"{"team": ""}"#), None);
        let same = r#"[{"portalId": 1, "a": 1}, {"portalId": 1}]"#;
        assert_eq!(found(&rule("body:*.portalId"), same), one("1"));
    }

    #[test]
    fn several_accounts_in_a_list_get_their_own_elements_byte_for_byte() {
        let body = r#"[{"portalId": 1, "z": 1.50, "a": "é"}, {"portalId":2}, {"none": 1} ,{"portalId":1}]"#;
        let part = |id: &str, text: &str| (id.to_owned(), Some(text.as_bytes().to_vec()));
        let parts = vec![
            part("1", r#"[{"portalId": 1, "z": 1.50, "a": "é"},{"portalId":1}]"#),
            part("2", r#"[{"portalId":2}]"#),
        ];
        assert_eq!(found(&rule("body:*.portalId"), body), Some(Accounts::Some(parts)));
        assert_eq!(found(&rule("body:*.portalId"), r#"[{"a": 1}]"#), None);
        let of_one = r#"[{"portalId":2},{"secret":1}]"#;
        assert_eq!(
            found(&rule("body:*.portalId"), of_one),
            Some(Accounts::Some(vec![part("2", r#"[{"portalId":2}]"#)])),
            "nobody gets an element that names no account"
        );
    }

    #[test]
    fn a_condition_and_an_expected_text_must_hold() {
        let condition = Place::parse("body:whole");
        let whole = AccountRule { condition, ..rule("body:enterprise") };
        assert_eq!(found(&whole, r#"{"enterprise": "E1", "whole": false}"#), None);
        assert!(found(&whole, r#"{"enterprise": "E1", "whole": true}"#).is_some());
        let shop = |expected: &str| AccountRule { expected: Some(expected.to_owned()), ..rule("header:shop") };
        assert_eq!(found(&shop("acme.example"), "{}"), Some(Accounts::All));
        assert_eq!(found(&shop("other.example"), "{}"), None);
    }
}
