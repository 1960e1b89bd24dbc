//! From a secret to a signed request.

use jackfield_plugin_test::Harness;
use serde_json::json;

use super::*;

fn webhook() -> Harness<Webhook> {
    Harness::new(json!({})).in_process()
}

/// A request that a service signs with this secret.
fn signed(secret: &str, body: &str) -> WebhookRequest {
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    let signature = mac.chain_update(body).finalize().into_bytes();
    let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    WebhookRequest::new("POST", body).with_header("X-Signature", format!("sha256={hex}"))
}

/// The last `<code>` of the page.
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
    let response = webhook.handle_webhook(signed(&secret, r#"{"id": 7, "name": "Acme"}"#)).expect("a response");
    assert_eq!(response.status, 204);
    let later = webhook.handle_webhook(signed(&secret, r#"{"id": 8, "name": "Other"}"#)).expect("a response");
    assert_eq!((later.status, later.bind.len()), (204, 0), "the first decides");
    let integration = webhook.get().expect_integration();
    assert_eq!(integration.name.as_deref(), Some("Acme"));
    assert_eq!(Value::Object(integration.metadata), json!({"account_id": "7", "secret": secret}));
}

#[test]
fn nobody_takes_over_an_integration_by_signing_its_account() {
    let ids = [(), ()].map(|()| {
        let mut webhook = webhook();
        let secret = secret(&webhook.get().expect_wait());
        assert_eq!(webhook.handle_webhook(signed(&secret, r#"{"id": 7}"#)).expect("a response").status, 204);
        webhook.get().expect_integration().external_id
    });
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn a_body_without_an_account_gets_a_plain_name() {
    for body in ["", "[]", "not json", r#"{"id": ""}"#] {
        let mut webhook = webhook();
        let secret = secret(&webhook.get().expect_wait());
        assert_eq!(webhook.handle_webhook(signed(&secret, body)).expect("a response").status, 204, "{body}");
        let integration = webhook.get().expect_integration();
        assert_eq!((integration.external_id.len(), integration.name.as_deref()), (22, Some("Webhook")), "{body}");
        assert_ne!(integration.external_id, secret[..22]);
    }
}

#[test]
fn a_request_that_is_not_signed_with_the_secret_is_refused_and_changes_nothing() {
    let mut webhook = webhook();
    let secret = secret(&webhook.get().expect_wait());
    let good = signed(&secret, "{}");
    let signature = good.header("x-signature").expect("it is signed").to_owned();
    let with = |signature: &str| WebhookRequest::new("POST", "{}").with_header("x-signature", signature);
    let wrong = [
        WebhookRequest::new("POST", "{}"),
        WebhookRequest::new("POST", "{} ").with_header("x-signature", signature.clone()),
        signed("another secret", "{}"),
        with(signature.strip_prefix("sha256=").expect("its prefix")),
        with(&signature[..signature.len() - 2]),
        with(&format!("{signature}00")),
        with("sha256="),
        with("sha256=ü"),
        with("sha256=zz"),
    ];
    for request in wrong {
        let response = webhook.handle_webhook(request).expect("a response");
        assert_eq!((response.status, response.bind.len(), response.body.len()), (401, 0, 0));
    }
    let _ = webhook.get().expect_wait();
}

#[test]
fn before_there_is_a_secret_every_request_is_refused() {
    assert_eq!(webhook().handle_webhook(signed("", "{}")).expect("a response").status, 401);
}

#[test]
fn later_requests_are_verified_with_the_stored_secret() {
    let metadata = State::from_iter([("secret".to_owned(), json!("kept"))]);
    let mut webhook = webhook();
    let mut status = |request| webhook.handle_installed_webhook(request, metadata.clone()).expect("a response").status;
    assert_eq!((status(signed("kept", "{}")), status(signed("other", "{}"))), (204, 401));
}
