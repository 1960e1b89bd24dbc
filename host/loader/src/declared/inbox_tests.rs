//! The catalogue's declarations against the examples that vendors publish, and what operators read
//! of a declaration that cannot be one.

use jackfield_plugin_abi::envelope::{State, WebhookRequest};
use serde_json::json;

use super::declaration_reader::read_declaration;
use crate::inbound::{Accounts, ChallengeAnswer, InboundCall, InboxRules, Unverified};

/// A call that a service has signed.
struct Example {
    provider: &'static str,
    secret: &'static str,
    now: u64,
    url: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    delivery_id: Option<&'static str>,
    account: Option<&'static str>,
}

const URL: &str = "https://jackfield.example/extensions/acme/events/";

impl Example {
    fn call(&self) -> WebhookRequest {
        let call = WebhookRequest::new("POST", self.body);
        self.headers.iter().fold(call, |call, (name, value)| call.with_header(*name, *value))
    }
}

fn options(secret: &str) -> State {
    let options = json!({
        "client-id": "id", "client-secret": secret, "signing-secret": secret, "shop": "acme", "subdomain": "acme",
    });
    options.as_object().cloned().expect("an object")
}

fn rules(provider: &str, secret: &str) -> InboxRules {
    let mut options = options(secret);
    if provider != "shopify" {
        options.remove("shop");
    }
    if provider != "zendesk" {
        options.remove("subdomain");
    }
    if matches!(provider, "shopify" | "hubspot") {
        options.remove("signing-secret");
    }
    let declaration = read_declaration(provider, &options).unwrap_or_else(|wrong| panic!("{provider}: {wrong:?}"));
    InboxRules::read(&declaration.inbox.expect(provider)).unwrap_or_else(|wrong| panic!("{provider}: {wrong:?}"))
}

/// The first four and the sixth are the examples of the vendors' documentation and of their own
/// tests. The others were signed by Python's `hmac`, as the documentation says.
const EXAMPLES: [Example; 10] = [
    // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    Example {
        provider: "github",
        secret: "It's a Secret to Everybody",
        now: 0,
        url: URL,
        headers: &[
            ("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
            ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ],
        body: "Hello, World!",
        delivery_id: Some("72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        account: None,
    },
    // https://docs.slack.dev/authentication/verifying-requests-from-slack
    Example {
        provider: "slack",
        secret: "8f742231b10e8888abcd99yyyzzz85a5",
        now: 1_531_420_618,
        url: URL,
        headers: &[
            ("X-Slack-Request-Timestamp", "1531420618"),
            ("X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
        ],
        body: "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
        delivery_id: None,
        account: None,
    },
    STRIPE,
    SHOPIFY,
    LINEAR,
    GITLAB,
    HUBSPOT,
    NOTION,
    ZENDESK,
    ASANA,
];

// https://docs.stripe.com/webhooks#verify-manually

const STRIPE: Example = Example {
    provider: "stripe",
    secret: "whsec_test_secret",
    now: 1_614_265_330,
    url: URL,
    headers: &[(
        "Stripe-Signature",
        "t=1614265330,v1=0000000000000000000000000000000000000000000000000000000000000000,v1=4ac16ca343104e372a0be52bd4762723ae35416aa4afdb55ed1a4bb76ebe5453,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39",
    )],
    body: r#"{"id": "evt_1NG8Du2eZvKYlo2CUI79vXWy", "object": "event", "account": "acct_1MZZ", "type": "charge.succeeded"}"#,
    delivery_id: Some("evt_1NG8Du2eZvKYlo2CUI79vXWy"),
    account: Some("acct_1MZZ"),
};

// https://shopify.dev/docs/apps/build/webhooks/verify-deliveries

const SHOPIFY: Example = Example {
    provider: "shopify",
    secret: "hush",
    now: 0,
    url: URL,
    headers: &[
        ("X-Shopify-Hmac-SHA256", "8oTAlJ0HtUEbJDFmjrpj7ILB73p0WlxjdkJwg509B48="),
        ("X-Shopify-Webhook-Id", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"),
        ("X-Shopify-Shop-Domain", "acme.myshopify.com"),
    ],
    body: r#"{"id": 820982911946154508, "email": "jon@example.com"}"#,
    delivery_id: Some("b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"),
    account: Some("*"),
};

// https://linear.app/developers/webhooks#securing-webhooks

const LINEAR: Example = Example {
    provider: "linear",
    secret: "lin_wh_hush",
    now: 1_676_056_941,
    url: URL,
    headers: &[
        ("Linear-Signature", "42f93b869ef68c3c3797b3201295665da0cd7e3afacccf4f5ecb271bd747adbb"),
        ("Linear-Delivery", "234d1a4e-b617-4388-90fe-adc3633d6b72"),
        ("Linear-Event", "Issue"),
    ],
    body: r#"{"action": "create", "organizationId": "9cd4a5d2-5a1b-4c5e-8e1f-3d6b8a2c7f10", "webhookTimestamp": 1676056940508}"#,
    delivery_id: Some("234d1a4e-b617-4388-90fe-adc3633d6b72"),
    account: Some("9cd4a5d2-5a1b-4c5e-8e1f-3d6b8a2c7f10"),
};

// https://docs.gitlab.com/user/project/integrations/webhooks/#delivery-headers

const GITLAB: Example = Example {
    provider: "gitlab",
    secret: "hush",
    now: 0,
    url: URL,
    headers: &[
        ("X-Gitlab-Token", "hush"),
        ("X-Gitlab-Event", "Push Hook"),
        ("Idempotency-Key", "f5e5f430-f57b-4e6e-9fac-d9128cd7232f"),
    ],
    body: r#"{"object_kind": "push", "user_id": 4}"#,
    delivery_id: Some("f5e5f430-f57b-4e6e-9fac-d9128cd7232f"),
    account: None,
};

// https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests

const HUBSPOT: Example = Example {
    provider: "hubspot",
    secret: "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
    now: 1_564_113_601,
    url: "https://www.example.com/webhook_uri",
    headers: &[
        ("X-HubSpot-Signature-v3", "DxmVAjFNa2xfF3YgQjdZP6TNcok9k1oaH7UXombPtvw="),
        ("X-HubSpot-Request-Timestamp", "1564113600000"),
    ],
    body: r#"[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]"#,
    delivery_id: None,
    account: Some("62515"),
};

// https://developers.notion.com/reference/webhooks

const NOTION: Example = Example {
    provider: "notion",
    secret: "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl",
    now: 0,
    url: URL,
    headers: &[("X-Notion-Signature", "sha256=aad054f5c32aa6c851dcf930124ef297756dc8c0368bff928e04f15cf892a6a8")],
    body: r#"{"id": "367cba44-b6f3-4c92-81e7-6a2e9659efd4", "timestamp": "2024-12-05T23:55:34.285Z", "workspace_id": "13950b26-c203-4f3b-b97d-93ec06319565", "type": "page.created"}"#,
    delivery_id: Some("367cba44-b6f3-4c92-81e7-6a2e9659efd4"),
    account: Some("13950b26-c203-4f3b-b97d-93ec06319565"),
};

// https://developer.zendesk.com/documentation/webhooks/verifying/

const ZENDESK: Example = Example {
    provider: "zendesk",
    secret: "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==",
    now: 1_616_648_967,
    url: URL,
    headers: &[
        ("X-Zendesk-Webhook-Signature", "P2iKOs0eFBXbqjyUNxNnoWmoN/cSSkVqIRoRhYZhv5o="),
        ("X-Zendesk-Webhook-Signature-Timestamp", "2021-03-25T05:09:27Z"),
        ("X-Zendesk-Webhook-Invocation-Id", "01F1KRFQ6BG29CNWFR60NK5FNY"),
    ],
    body: r#"{"say": "hello"}"#,
    delivery_id: Some("01F1KRFQ6BG29CNWFR60NK5FNY"),
    account: None,
};

// https://developers.asana.com/docs/webhooks-guide

const ASANA: Example = Example {
    provider: "asana",
    secret: "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81",
    now: 0,
    url: URL,
    headers: &[("X-Hook-Signature", "84329e75371ebb4a74249848f9feb6f1561d835a36552eabde080439fc2e7829")],
    body: r#"{"events": [{"action": "changed", "resource": {"gid": "1337"}}]}"#,
    delivery_id: None,
    account: None,
};

#[test]
fn what_a_service_has_signed_is_accepted_and_read() {
    for example in &EXAMPLES {
        let (rules, call) = (rules(example.provider, example.secret), example.call());
        let call = InboundCall::new(&call, example.url);
        assert_eq!(rules.verify(&call, None, example.now), Ok(()), "{}", example.provider);
        assert_eq!(rules.delivery_id(&call).as_deref(), example.delivery_id, "{}", example.provider);
        let account = match example.account {
            None => Accounts::None,
            Some("*") => Accounts::All,
            Some(id) => Accounts::Some(vec![(id.to_owned(), None)]),
        };
        assert_eq!(rules.accounts(&call), account, "{}", example.provider);
    }
}

#[test]
fn with_one_byte_changed_it_is_refused() {
    for example in EXAMPLES.iter().filter(|example| example.provider != "gitlab") {
        let rules = rules(example.provider, example.secret);
        for at in [0, example.body.len() / 2, example.body.len() - 1] {
            let mut call = example.call();
            call.body[at] ^= 1;
            let refused = rules.verify(&InboundCall::new(&call, example.url), None, example.now);
            assert_eq!(refused, Err(Unverified::WrongSignature), "{}: byte {at}", example.provider);
        }
    }
}

#[test]
fn without_its_headers_or_with_another_signature_it_is_refused() {
    for example in &EXAMPLES {
        let rules = rules(example.provider, example.secret);
        let verify = |call: &WebhookRequest| rules.verify(&InboundCall::new(call, example.url), None, example.now);
        assert!(verify(&WebhookRequest::new("POST", example.body)).is_err(), "{}", example.provider);
        let (name, value) =
            example.headers.iter().find(|(_, value)| value.contains("v1=")).unwrap_or(&example.headers[0]);
        let (name, value) = if example.provider == "slack" { example.headers[1] } else { (*name, *value) };
        let cut = &value[..40.min(value.len() - 2)];
        for other in ["", "=", "v1", &"0".repeat(64), cut] {
            let call = WebhookRequest::new("POST", example.body);
            let others = example.headers.iter().filter(|(known, _)| *known != name);
            let call =
                others.fold(call, |call, (name, value)| call.with_header(*name, *value)).with_header(name, other);
            assert!(verify(&call).is_err(), "{}: {other:?}", example.provider);
        }
    }
}

#[test]
fn it_is_refused_with_another_secret_and_without_one() {
    for example in &EXAMPLES {
        let call = example.call();
        let call = InboundCall::new(&call, example.url);
        let verify = |secret: &str| rules(example.provider, secret).verify(&call, None, example.now);
        assert_eq!(verify("other"), Err(Unverified::WrongSignature), "{}", example.provider);
        assert_eq!(verify(""), Err(Unverified::NoSecret), "{}", example.provider);
        let of_webhook = rules(example.provider, "").verify(&call, Some(example.secret), example.now);
        assert_eq!(of_webhook, Ok(()), "{}: the secret of its webhook", example.provider);
        let other = rules(example.provider, example.secret).verify(&call, Some("other"), example.now);
        assert_eq!(other, Err(Unverified::WrongSignature), "{}: its webhook has another", example.provider);
        let empty = rules(example.provider, example.secret).verify(&call, Some(""), example.now);
        assert_eq!(empty, Err(Unverified::NoSecret), "{}: its webhook has none", example.provider);
    }
}

#[test]
fn one_that_is_too_old_or_from_the_future_is_refused() {
    for example in EXAMPLES.iter().filter(|example| example.now > 0) {
        let (rules, call) = (rules(example.provider, example.secret), example.call());
        let call = InboundCall::new(&call, example.url);
        for now in [example.now - 3600, example.now + 3600] {
            assert_eq!(rules.verify(&call, None, now), Err(Unverified::WrongTime), "{}", example.provider);
        }
    }
}

#[test]
fn a_url_that_is_signed_must_be_the_one_that_was_called() {
    let example = &HUBSPOT;
    let (rules, call) = (rules(example.provider, example.secret), example.call());
    let refused = rules.verify(&InboundCall::new(&call, URL), None, example.now);
    assert_eq!(refused, Err(Unverified::WrongSignature));
}

/// <https://github.com/standard-webhooks/standard-webhooks>: the example that its libraries test.
#[test]
fn standard_webhooks_can_be_declared() {
    let declared = json!({
        "authorize-url": "https://acme.example/a", "token-url": "https://acme.example/t", "account": {"id": "id"},
        "client-id": "id", "client-secret": "s", "signing-secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "inbox": {
            "header": "webhook-signature", "prefix": "v1,", "encoding": "base64", "decode": "base64",
            "template": "{header:webhook-id}.{timestamp}.{body}", "timestamp": "header:webhook-timestamp",
            "delivery-id": "header:webhook-id", "account": "body:account",
        },
    });
    let declaration = read_declaration("acme", declared.as_object().expect("an object"));
    let inbox = declaration.unwrap_or_else(|wrong| panic!("{wrong:?}")).inbox.expect("an inbox");
    let rules = InboxRules::read(&inbox).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let call = WebhookRequest::new("POST", r#"{"test": 2432232314}"#)
        .with_header("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
        .with_header("webhook-timestamp", "1614265330")
        .with_header(
            "webhook-signature",
            "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v2,MzJsNDk4MzI0K2",
        );
    assert_eq!(rules.verify(&InboundCall::new(&call, URL), None, 1_614_265_330), Ok(()));
    let mut other = call;
    other.headers[0].1 = "msg_other".to_owned();
    let refused = rules.verify(&InboundCall::new(&other, URL), None, 1_614_265_330);
    assert_eq!(refused, Err(Unverified::WrongSignature), "the id is signed too");
}

#[test]
fn challenges_are_answered_and_nothing_else_is_one() {
    let slack = rules("slack", "hush");
    let verification = WebhookRequest::new("POST", r#"{"type": "url_verification", "challenge": "chall3nge"}"#);
    let call = InboundCall::new(&verification, URL);
    assert!(slack.challenge(&call).is_none(), "only after it is verified");
    assert!(slack.signed_challenge(&call) == Some(ChallengeAnswer::Text("chall3nge".to_owned())));
    let event = WebhookRequest::new("POST", r#"{"type": "event_callback", "event": {"challenge": "x"}}"#);
    assert!(slack.signed_challenge(&InboundCall::new(&event, URL)).is_none());

    let asana = rules("asana", "hush");
    let handshake = WebhookRequest::new("POST", "{}").with_header("X-Hook-Secret", "abc");
    let secret = ChallengeAnswer::Secret { name: "x-hook-secret".to_owned(), value: "abc".to_owned() };
    assert!(asana.challenge(&InboundCall::new(&handshake, URL)) == Some(secret));
    let long = WebhookRequest::new("POST", "{}").with_header("X-Hook-Secret", "x".repeat(5000));
    assert!(asana.challenge(&InboundCall::new(&long, URL)).is_none());
}

#[test]
fn only_what_programs_need_is_handed_on() {
    let call = WebhookRequest::new("POST", "{}")
        .with_header("content-type", "application/json")
        .with_header("authorization", "Bearer x")
        .with_header("X-GitHub-Event", "push")
        .with_header("X-GitHub-Delivery", "d")
        .with_header("X-Hub-Signature-256", "sha256=00");
    let passed = rules("github", "hush").passed_headers(&call);
    let names: Vec<&str> = passed.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["content-type", "x-github-event", "x-github-delivery"]);
}

#[test]
fn what_cannot_be_an_inbox_is_reported() {
    let said = |inbox: serde_json::Value| {
        let options = json!({"inbox": inbox, "signing-secret": "hush"});
        let wrong = read_declaration("github", options.as_object().expect("an object")).err().unwrap_or_default();
        wrong.iter().map(|one| format!("{}: {}", one.key, one.message)).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(said(json!({"header": "x-a"})), "");
    insta::assert_snapshot!(said(json!({
        "header": "x a", "algorithm": "md5", "encoding": "hexx", "template": "{timestamp}", "tolerance": 0,
        "delivery-id": "x-id", "account": [{"at": "body:a", "when": "b"}], "challenge": "cookie:a", "headers": ["a b"],
        "signed-with": "client-id", "colour": "red", "decode": "hex",
    })), @"
    inbox.algorithm: not a known word
    inbox.encoding: not a known word
    inbox.tolerance: not a number of seconds
    inbox.decode: not a known word
    inbox.account: not a place of the account
    inbox.colour: unknown key
    inbox.signed-with: not an option that holds a secret
    inbox.template: the body is not signed
    inbox.timestamp: missing, and the template has {timestamp}
    inbox.header: not the name of a header
    inbox.delivery-id: not a place in a call
    inbox.challenge: not a known challenge
    inbox.headers: not the name of a header
    signing-secret: unknown key
    ");
    insta::assert_snapshot!(said(json!({"header": "x-a", "template": "{Body}", "timestamp": "header:x-t"})), @r"
    inbox.template: {Body} is nothing of a call
    inbox.timestamp: not signed
    ");
    assert_eq!(said(json!({"prefix": "v0="})), "inbox.header: missing");
    assert_eq!(said(json!({"challenge": "query:validationToken"})), "", "a service that only challenges");
    assert_eq!(said(json!("x-a")), "inbox: wrong type: found text, wanted a table, { … }\nsigning-secret: unknown key");
}
