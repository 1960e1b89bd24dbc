//! The way from a secret to a signed call, through the harness.

use jackfield_plugin_test::Harness;
use serde_json::json;

use super::*;

fn webhook() -> Harness<Webhook> {
    Harness::new(json!({})).in_process()
}

/// What a service sends that has been given this secret.
fn call(secret: &str, body: &str) -> WebhookRequest {
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    let signature = mac.chain_update(body).finalize().into_bytes();
    let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    WebhookRequest::new("POST", body).with_header("X-Signature", format!("sha256={hex}"))
}

/// The last `code` of the page.
fn secret(page: &str) -> String {
    let codes: Vec<_> = page.split("<code>").skip(1).filter_map(|rest| rest.split("</code>").next()).collect();
    codes.last().expect("the page shows a secret").to_string()
}

#[test]
fn the_page_shows_url_and_secret_and_keeps_them() {
    let mut webhook = webhook();
    let page = webhook.get().expect_wait();
    assert!(page.contains("/extensions/webhook/webhook/scripted-key/"), "{page}");
    assert!(secret(&page).len() >= 43, "256 bits");
    assert_eq!(webhook.get().expect_wait(), page, "looking again changes nothing");
}

#[test]
fn the_first_signed_call_becomes_an_integration() {
    let mut webhook = webhook();
    let secret = secret(&webhook.get().expect_wait());
    let answer = webhook.handle_webhook(call(&secret, r#"{"id": 7, "name": "Acme"}"#)).expect("it judges");
    assert_eq!(answer.status, 204);
    let later = webhook.handle_webhook(call(&secret, r#"{"id": 8, "name": "Other"}"#)).expect("it judges");
    assert_eq!((later.status, later.bind.len()), (204, 0), "the first decides");
    let integration = webhook.get().expect_integration();
    assert_eq!(integration.name.as_deref(), Some("Acme"));
    assert_eq!(Value::Object(integration.metadata), json!({"account_id": "7", "secret": secret}));
}

#[test]
fn nobody_takes_an_integration_over_by_signing_its_account() {
    let ids = [(), ()].map(|()| {
        let mut webhook = webhook();
        let secret = secret(&webhook.get().expect_wait());
        assert_eq!(webhook.handle_webhook(call(&secret, r#"{"id": 7}"#)).expect("it judges").status, 204);
        webhook.get().expect_integration().external_id
    });
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn what_tells_no_account_has_a_plain_name() {
    for body in ["", "[]", "not json", r#"{"id": ""}"#] {
        let mut webhook = webhook();
        let secret = secret(&webhook.get().expect_wait());
        assert_eq!(webhook.handle_webhook(call(&secret, body)).expect("it judges").status, 204, "{body}");
        let integration = webhook.get().expect_integration();
        assert_eq!((integration.external_id.len(), integration.name.as_deref()), (22, Some("Webhook")), "{body}");
        assert_ne!(integration.external_id, secret[..22]);
    }
}

#[test]
fn a_call_that_is_not_signed_with_the_secret_is_refused_and_changes_nothing() {
    let mut webhook = webhook();
    let secret = secret(&webhook.get().expect_wait());
    let good = call(&secret, "{}");
    let signature = good.header("x-signature").expect("it is signed").to_owned();
    let with = |signature: &str| WebhookRequest::new("POST", "{}").with_header("x-signature", signature);
    let wrong = [
        WebhookRequest::new("POST", "{}"),
        WebhookRequest::new("POST", "{} ").with_header("x-signature", signature.clone()),
        call("another secret", "{}"),
        with(signature.strip_prefix("sha256=").expect("its prefix")),
        with(&signature[..signature.len() - 2]),
        with(&format!("{signature}00")),
        with("sha256="),
        with("sha256=ü"),
        with("sha256=zz"),
    ];
    for call in wrong {
        let answer = webhook.handle_webhook(call).expect("it judges");
        assert_eq!((answer.status, answer.bind.len(), answer.body.len()), (401, 0, 0));
    }
    let _ = webhook.get().expect_wait();
}

#[test]
fn before_there_is_a_secret_every_call_is_refused() {
    assert_eq!(webhook().handle_webhook(call("", "{}")).expect("it judges").status, 401);
}

#[test]
fn later_calls_are_verified_with_what_was_kept() {
    let metadata = State::from_iter([("secret".to_owned(), json!("kept"))]);
    let mut webhook = webhook();
    let mut status = |call| webhook.handle_installed_webhook(call, metadata.clone()).expect("it judges").status;
    assert_eq!((status(call("kept", "{}")), status(call("other", "{}"))), (204, 401));
}
