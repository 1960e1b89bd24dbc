//! What a plugin's description of its inbox comes to.

use jackfield_plugin_abi::envelope::{AccountPlace, Inbox, SignatureAlgorithm, SignatureEncoding, WebhookRequest};

use super::{Accounts, ChallengeAnswer, InboundCall, InboxRules, Unverified};

fn rules(inbox: &Inbox) -> InboxRules {
    InboxRules::read(inbox).unwrap_or_else(|wrong| panic!("{wrong:?}"))
}

fn signed(inbox: &Inbox, call: &WebhookRequest) -> Result<(), Unverified> {
    rules(inbox).verify(&InboundCall::new(call, "https://j.example/"), None, 1000)
}

#[test]
fn what_a_later_version_of_the_api_signs_with_is_refused() {
    let call = WebhookRequest::new("POST", "{}").with_header("x-s", "00");
    let inbox = Inbox::hmac_sha256("x-s", "hush");
    assert_eq!(signed(&inbox, &call), Err(Unverified::WrongSignature));
    assert_eq!(signed(&inbox.clone().algorithm(SignatureAlgorithm::Unknown), &call), Err(Unverified::Unsupported));
    assert_eq!(signed(&inbox.encoding(SignatureEncoding::Unknown), &call), Err(Unverified::Unsupported));
    let later: Inbox =
        serde_json::from_str(r#"{"header": "x-s", "algorithm": "ed25519", "secret": "s"}"#).expect("JSON");
    assert_eq!(signed(&later, &call), Err(Unverified::Unsupported));
}

#[test]
fn a_service_that_signs_nothing_is_never_verified() {
    let inbox = Inbox::unsigned().challenge("query:validationToken").challenge("method:head");
    assert_eq!(signed(&inbox, &WebhookRequest::new("POST", "{}")), Err(Unverified::Unsupported));
    let rules = rules(&inbox);
    assert!(!rules.is_signed() && !rules.has_secret() && !rules.names_accounts());
    let validation = WebhookRequest::new("POST", "").with_query("validationToken", "Validation: <b>");
    let answer = rules.challenge(&InboundCall::new(&validation, ""));
    assert!(answer == Some(ChallengeAnswer::Text("Validation: <b>".to_owned())));
    assert!(rules.challenge(&InboundCall::new(&WebhookRequest::new("HEAD", ""), "")) == Some(ChallengeAnswer::Empty));
    assert!(rules.challenge(&InboundCall::new(&WebhookRequest::new("POST", "{}"), "")).is_none());
}

#[test]
fn the_first_place_that_a_call_has_names_the_account() {
    let inbox = Inbox::hmac_sha256("x-s", "hush")
        .account_if("body:is_enterprise_install", "body:enterprise_id")
        .account("body:team_id");
    let accounts = |body: &str| {
        let call = WebhookRequest::new("POST", body);
        rules(&inbox).accounts(&InboundCall::new(&call, ""))
    };
    let one = |id: &str| Accounts::Some(vec![(id.to_owned(), None)]);
    assert_eq!(accounts(r#"{"team_id": "T1", "enterprise_id": "E1"}"#), one("T1"));
    assert_eq!(accounts(r#"{"team_id": "T1", "enterprise_id": "E1", "is_enterprise_install": true}"#), one("E1"));
    assert_eq!(accounts("{}"), Accounts::None);
    let too_long = format!(r#"{{"team_id": "{}"}}"#, "x".repeat(256));
    for body in [r#"{"team_id": "T\u0000"}"#, &too_long] {
        assert_eq!(accounts(body), Accounts::Some(Vec::new()), "an id that cannot be one: {body}");
    }
}

#[test]
fn a_token_stands_where_it_is_said_to_and_is_compared_whole() {
    let inbox = Inbox::hmac_sha256("authorization", "hush").prefix("Bearer ").algorithm(SignatureAlgorithm::Token);
    let call = |value: &str| WebhookRequest::new("POST", "{}").with_header("authorization", value);
    assert_eq!(signed(&inbox, &call("Bearer hush")), Ok(()));
    assert_eq!(signed(&inbox, &call("Bearer hus")), Err(Unverified::WrongSignature));
    assert_eq!(signed(&inbox, &call("hush")), Err(Unverified::NoSignature));
    assert_eq!(signed(&inbox, &call("Bearer ")), Err(Unverified::NoSignature));
}

#[test]
fn what_a_plugin_describes_wrongly_is_said() {
    let mut inbox = Inbox::hmac_sha256("x s", "hush").template("{bodi}").delivery_id("id").challenge("x");
    inbox.accounts.push(AccountPlace::default());
    inbox.headers = (0..40).map(|number| format!("x-{number}")).collect();
    let wrong = InboxRules::read(&inbox).err().unwrap_or_default();
    let said: Vec<_> = wrong.iter().map(|mistake| format!("{}: {}", mistake.key, mistake.message)).collect();
    insta::assert_snapshot!(said.join("\n"), @"
    template: {bodi} is nothing of a call
    header: not the name of a header
    delivery-id: not a place in a call
    account: empty
    challenge: not a known challenge
    headers: 40 of them, and 32 at most are taken
    ");
    assert!(InboxRules::read(&Inbox::unsigned()).is_err(), "neither signature nor challenge");
    assert!(!format!("{:?}", Inbox::hmac_sha256("x-s", "hush")).contains("hush"));
}
