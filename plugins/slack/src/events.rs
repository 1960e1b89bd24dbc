//! Slack's Events API: <https://docs.slack.dev/apis/events-api>. An app has one request URL.

use hmac::{Hmac, KeyInit, Mac};
use jackfield_plugin::{Event, EventResponse, GrantSelector, Host, Value, WebhookRequest, WebhookResponse};
use sha2::Sha256;

use super::Slack;

/// Greatest difference of a request's timestamp to now, either way, in seconds.
const MAX_TIME_DIFFERENCE: u64 = 300;

impl Slack {
    pub(super) fn event_response(&self, request: &WebhookRequest, host: &Host) -> EventResponse {
        // Hosts from before there were inboxes leave it to the plugin.
        if !request.is_verified && !is_signed(request, &self.signing_secret, host.unix_time()) {
            return WebhookResponse::new(401).into();
        }
        let Ok(body) = request.json::<Value>() else { return WebhookResponse::new(400).into() };
        let response = WebhookResponse::new(200);
        match body["type"].as_str() {
            // Slack's first request, when somebody enters the URL.
            Some("url_verification") => response.with_body("text/plain", text(&body["challenge"])).into(),
            Some("event_callback") => event(&body).into_iter().fold(response.into(), EventResponse::event),
            // Slack repeats what is not acknowledged.
            _ => response.into(),
        }
    }
}

fn event(body: &Value) -> Option<Event> {
    let event = match body["event"]["type"].as_str()? {
        "app_uninstalled" => Event::uninstalled(tenant(body)),
        "tokens_revoked" => Event::tokens_revoked(tenant(body), revoked_grants(&body["event"]["tokens"])),
        _ => return None,
    };
    Some(event.id(text(&body["event_id"])).time(body["event_time"].as_u64().unwrap_or_default()))
}

/// The external id of the installation, as in the token response: the enterprise if the app is
/// installed in all of it, else the workspace.
fn tenant(body: &Value) -> &str {
    let is_enterprise = [&body["is_enterprise_install"], &body["authorizations"][0]["is_enterprise_install"]];
    let ids = [&body["authorizations"][0]["enterprise_id"], &body["enterprise_id"]];
    if is_enterprise.contains(&&Value::Bool(true)) {
        return ids.into_iter().map(text).find(|id| !id.is_empty()).unwrap_or_default();
    }
    text(&body["team_id"])
}

/// Both lists hold ids of users and not tokens:
/// <https://docs.slack.dev/reference/events/tokens_revoked>. An installation has one bot.
fn revoked_grants(tokens: &Value) -> Vec<GrantSelector> {
    let ids = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let bot = ids(&tokens["bot"]).first().map(|_| GrantSelector::new("bot"));
    // A selector without an id would select the grants of all people.
    let people = ids(&tokens["oauth"]).into_iter().filter(|id| !id.is_empty());
    people.map(|id| GrantSelector::new("user").subject(id)).chain(bot).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Verifies the signature of the body's bytes, in constant time:
/// <https://docs.slack.dev/authentication/verifying-requests-from-slack>.
fn is_signed(request: &WebhookRequest, secret: &str, now: u64) -> bool {
    let timestamp = request.header("x-slack-request-timestamp").unwrap_or_default();
    let signature = request.header("x-slack-signature").and_then(|value| value.strip_prefix("v0=")).and_then(bytes);
    let (Some(signature), Ok(mac)) = (signature, <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes())) else {
        return false;
    };
    let mac = mac.chain_update(format!("v0:{timestamp}:")).chain_update(&request.body);
    !secret.is_empty() && is_recent(timestamp, now) && mac.verify_slice(&signature).is_ok()
}

fn is_recent(timestamp: &str, now: u64) -> bool {
    let is_plain = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    is_plain && timestamp.parse::<u64>().is_ok_and(|time| time.abs_diff(now) <= MAX_TIME_DIFFERENCE)
}

/// The 32 bytes of 64 hex digits.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use jackfield_plugin::EventKind;
    use jackfield_plugin_test::{Harness, NOW};
    use serde_json::json;

    use super::*;

    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

    fn slack() -> Harness<Slack> {
        Harness::new(json!({"client-id": "1.2", "client-secret": "s3cret", "signing-secret": SECRET}))
    }

    fn signed(secret: &str, timestamp: &str, body: &str) -> WebhookRequest {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).expect("any length");
        let mac = mac.chain_update(format!("v0:{timestamp}:{body}")).finalize().into_bytes();
        let signature = mac.iter().fold("v0=".to_owned(), |hex, byte| format!("{hex}{byte:02x}"));
        let call = WebhookRequest::new("POST", body).with_header("x-slack-request-timestamp", timestamp);
        call.with_header("x-slack-signature", signature)
    }

    fn response(body: &Value) -> EventResponse {
        slack().handle_event(signed(SECRET, &NOW.to_string(), &body.to_string())).expect("never an error")
    }

    #[test]
    fn slacks_own_example_of_a_signature_is_one() {
        // From the page that explains them.
        let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
            &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=\
            https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
            &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
        let call = WebhookRequest::new("POST", body).with_header("X-Slack-Request-Timestamp", "1531420618");
        let call = call.with_header("X-Slack-Signature", signature);
        assert!(is_signed(&call, SECRET, 1_531_420_618));
        assert!(!is_signed(&call, "another", 1_531_420_618) && !is_signed(&call, "", 1_531_420_618));
    }

    #[test]
    fn an_unsigned_request_is_refused_even_a_challenge() {
        let body = r#"{"type": "url_verification", "challenge": "c"}"#;
        let (now, good) = (NOW.to_string(), signed(SECRET, &NOW.to_string(), body));
        let signature = good.header("x-slack-signature").unwrap_or_default().to_owned();
        let with = |signature: &str| {
            let call = WebhookRequest::new("POST", body).with_header("x-slack-request-timestamp", &now);
            call.with_header("x-slack-signature", signature)
        };
        let plus = format!("v0=+{}", &signature[4..]);
        let of_another_body = signed(SECRET, &now, "{}");
        for call in [
            WebhookRequest::new("POST", body),
            with(""),
            with("v0="),
            with(&signature[3..]),
            with(&signature.replace("v0=", "v1=")),
            with(&signature[..signature.len() - 2]),
            with(&format!("{signature}00")),
            with(&plus),
            signed("another", &now, body),
            with(of_another_body.header("x-slack-signature").unwrap_or_default()),
        ] {
            let refused = slack().handle_event(call).expect("an answer");
            assert_eq!(refused, WebhookResponse::new(401).into());
        }
        let challenged = slack().handle_event(good).expect("an answer");
        assert_eq!(challenged, WebhookResponse::new(200).with_body("text/plain", "c").into());
    }

    #[test]
    fn a_request_is_accepted_for_five_minutes_either_way() {
        let status = |at: &str| slack().handle_event(signed(SECRET, at, "{}")).expect("an answer").response.status;
        for at in [NOW - 300, NOW, NOW + 300] {
            assert_eq!(status(&at.to_string()), 200, "{at}");
        }
        let near = [NOW - 301, NOW + 301].map(|at| at.to_string());
        let odd = [format!("+{NOW}"), format!("{NOW}.0"), format!(" {NOW}"), String::new(), "9".repeat(30)];
        for at in near.iter().chain(&odd) {
            assert_eq!(status(at), 401, "{at:?}");
        }
    }

    #[test]
    fn each_event_names_its_tenant_and_what_has_ended() {
        let of = |event: Value, more: Value| {
            let mut body =
                json!({"type": "event_callback", "event_id": "Ev1", "event_time": 7, "team_id": "T1", "event": event});
            more.as_object().into_iter().flatten().for_each(|(key, value)| body[key] = value.clone());
            response(&body).events
        };
        let gone = || json!({"type": "app_uninstalled"});
        let uninstalled = |id: &str| vec![Event::uninstalled(id).id("Ev1").time(7)];
        assert_eq!(of(gone(), json!({})), uninstalled("T1"));
        // A workspace of an enterprise is not the enterprise.
        assert_eq!(
            of(gone(), json!({"enterprise_id": "E1", "authorizations": [{"enterprise_id": "E1"}]})),
            uninstalled("T1")
        );
        let whole = json!({"enterprise_id": "E1", "is_enterprise_install": true});
        assert_eq!(of(gone(), whole), uninstalled("E1"));
        let whole =
            json!({"authorizations": [{"enterprise_id": "E1", "team_id": null, "is_enterprise_install": true}]});
        assert_eq!(of(gone(), whole), uninstalled("E1"));
        let tokens = json!({"type": "tokens_revoked", "tokens": {"oauth": ["U1", "", 7, "U2"], "bot": ["B1", "B2"]}});
        let named = [
            GrantSelector::new("user").subject("U1"),
            GrantSelector::new("user").subject("U2"),
            GrantSelector::new("bot"),
        ];
        assert_eq!(of(tokens, json!({})), [Event::tokens_revoked("T1", named).id("Ev1").time(7)]);
        let none = of(json!({"type": "tokens_revoked"}), json!({}));
        assert_eq!(none[0].kind, EventKind::TokensRevoked { grants: Vec::new() });
    }

    #[test]
    fn everything_else_is_acknowledged_and_changes_nothing() {
        for body in [json!({"type": "app_rate_limited"}), json!([]), json!({"type": "event_callback"}), json!(7)] {
            assert_eq!(response(&body), WebhookResponse::new(200).into(), "{body}");
        }
        let message = json!({"type": "event_callback", "event": {"type": "message", "text": "app_uninstalled"}});
        assert_eq!(response(&message), WebhookResponse::new(200).into());
        let no_json = slack()
            .handle_event(signed(SECRET, &NOW.to_string(), "payload=x"))
            .expect("an answer, and no words for a log");
        assert_eq!(no_json, WebhookResponse::new(400).into());
    }

    #[test]
    fn without_a_signing_secret_it_handles_no_events() {
        let mut slack = Harness::<Slack>::new(json!({"client-id": "1.2", "client-secret": "s3cret"}));
        assert_eq!(slack.handle_event(signed("", &NOW.to_string(), "{}")).expect("an answer").response.status, 404);
    }
}
