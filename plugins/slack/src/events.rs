//! What Slack tells of its own accord at the one request URL of the app: <https://docs.slack.dev/apis/events-api>.

use hmac::{Hmac, KeyInit, Mac};
use jackfield_plugin::{Event, EventResponse, GrantName, Host, Value, WebhookAnswer, WebhookCall};
use sha2::Sha256;

use super::Slack;

/// Longest time between a call and its timestamp, either way, in seconds.
const LIFE_OF_A_CALL: u64 = 300;

impl Slack {
    pub(super) fn judge(&self, call: &WebhookCall, host: &Host) -> EventResponse {
        if !is_signed(call, &self.signing_secret, host.unix_time()) {
            return WebhookAnswer::new(401).into();
        }
        let Ok(told) = call.json::<Value>() else { return WebhookAnswer::new(400).into() };
        let answer = WebhookAnswer::new(200);
        match told["type"].as_str() {
            // Slack's first call, when somebody enters the URL.
            Some("url_verification") => answer.with_body("text/plain", text(&told["challenge"])).into(),
            Some("event_callback") => event(&told).into_iter().fold(answer.into(), EventResponse::event),
            // Slack wants to hear that it came, whatever it is.
            _ => answer.into(),
        }
    }
}

fn event(told: &Value) -> Option<Event> {
    let event = match told["event"]["type"].as_str()? {
        "app_uninstalled" => Event::uninstalled(tenant(told)),
        "tokens_revoked" => Event::tokens_revoked(tenant(told), revoked(&told["event"]["tokens"])),
        _ => return None,
    };
    Some(event.id(text(&told["event_id"])).at(told["event_time"].as_u64().unwrap_or_default()))
}

/// The key of the installation, as of one from the token answer: the enterprise where the app is installed in all of it, else the workspace.
fn tenant(told: &Value) -> &str {
    let is_enterprise = [&told["is_enterprise_install"], &told["authorizations"][0]["is_enterprise_install"]];
    let names = [&told["authorizations"][0]["enterprise_id"], &told["enterprise_id"]];
    if is_enterprise.contains(&&Value::Bool(true)) {
        return names.into_iter().map(text).find(|id| !id.is_empty()).unwrap_or_default();
    }
    text(&told["team_id"])
}

/// Both lists hold ids of users and not tokens (<https://docs.slack.dev/reference/events/tokens_revoked>); an installation has one bot.
fn revoked(tokens: &Value) -> Vec<GrantName> {
    let ids = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let bot = ids(&tokens["bot"]).first().map(|_| GrantName::new("bot"));
    // One without an id would name everybody's.
    let people = ids(&tokens["oauth"]).into_iter().filter(|id| !id.is_empty());
    people.map(|id| GrantName::new("user").subject(id)).chain(bot).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// <https://docs.slack.dev/authentication/verifying-requests-from-slack>: over the bytes as they came, compared in constant time.
fn is_signed(call: &WebhookCall, secret: &str, now: u64) -> bool {
    let at = call.header("x-slack-request-timestamp").unwrap_or_default();
    let given = call.header("x-slack-signature").and_then(|value| value.strip_prefix("v0=")).and_then(bytes);
    let (Some(given), Ok(mac)) = (given, <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes())) else {
        return false;
    };
    let mac = mac.chain_update(format!("v0:{at}:")).chain_update(&call.body);
    !secret.is_empty() && is_of_now(at, now) && mac.verify_slice(&given).is_ok()
}

fn is_of_now(at: &str, now: u64) -> bool {
    let is_plain = at.bytes().all(|byte| byte.is_ascii_digit());
    is_plain && at.parse::<u64>().is_ok_and(|at| at.abs_diff(now) <= LIFE_OF_A_CALL)
}

/// The 32 bytes that 64 hex digits stand for.
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

    fn signed(secret: &str, at: &str, body: &str) -> WebhookCall {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).expect("any length");
        let mac = mac.chain_update(format!("v0:{at}:{body}")).finalize().into_bytes();
        let signature = mac.iter().fold("v0=".to_owned(), |hex, byte| format!("{hex}{byte:02x}"));
        let call = WebhookCall::new("POST", body).with_header("x-slack-request-timestamp", at);
        call.with_header("x-slack-signature", signature)
    }

    fn told(body: &Value) -> EventResponse {
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
        let call = WebhookCall::new("POST", body).with_header("X-Slack-Request-Timestamp", "1531420618");
        let call = call.with_header("X-Slack-Signature", signature);
        assert!(is_signed(&call, SECRET, 1_531_420_618));
        assert!(!is_signed(&call, "another", 1_531_420_618) && !is_signed(&call, "", 1_531_420_618));
    }

    #[test]
    fn what_is_not_signed_is_refused_also_a_challenge() {
        let body = r#"{"type": "url_verification", "challenge": "c"}"#;
        let (now, good) = (NOW.to_string(), signed(SECRET, &NOW.to_string(), body));
        let signature = good.header("x-slack-signature").unwrap_or_default().to_owned();
        let with = |signature: &str| {
            let call = WebhookCall::new("POST", body).with_header("x-slack-request-timestamp", &now);
            call.with_header("x-slack-signature", signature)
        };
        let plus = format!("v0=+{}", &signature[4..]);
        let of_another_body = signed(SECRET, &now, "{}");
        for call in [
            WebhookCall::new("POST", body),
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
            assert_eq!(refused, WebhookAnswer::new(401).into());
        }
        let challenged = slack().handle_event(good).expect("an answer");
        assert_eq!(challenged, WebhookAnswer::new(200).with_body("text/plain", "c").into());
    }

    #[test]
    fn a_call_is_taken_for_five_minutes_either_way() {
        let status = |at: &str| slack().handle_event(signed(SECRET, at, "{}")).expect("an answer").answer.status;
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
    fn each_event_names_its_tenant_and_what_is_over() {
        let of = |event: Value, more: Value| {
            let mut body =
                json!({"type": "event_callback", "event_id": "Ev1", "event_time": 7, "team_id": "T1", "event": event});
            more.as_object().into_iter().flatten().for_each(|(key, value)| body[key] = value.clone());
            told(&body).events
        };
        let gone = || json!({"type": "app_uninstalled"});
        let uninstalled = |id: &str| vec![Event::uninstalled(id).id("Ev1").at(7)];
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
        let named = [GrantName::new("user").subject("U1"), GrantName::new("user").subject("U2"), GrantName::new("bot")];
        assert_eq!(of(tokens, json!({})), [Event::tokens_revoked("T1", named).id("Ev1").at(7)]);
        let none = of(json!({"type": "tokens_revoked"}), json!({}));
        assert_eq!(none[0].kind, EventKind::TokensRevoked { grants: Vec::new() });
    }

    #[test]
    fn everything_else_is_answered_and_nothing_follows_from_it() {
        for body in [json!({"type": "app_rate_limited"}), json!([]), json!({"type": "event_callback"}), json!(7)] {
            assert_eq!(told(&body), WebhookAnswer::new(200).into(), "{body}");
        }
        let message = json!({"type": "event_callback", "event": {"type": "message", "text": "app_uninstalled"}});
        assert_eq!(told(&message), WebhookAnswer::new(200).into());
        let no_json = slack()
            .handle_event(signed(SECRET, &NOW.to_string(), "payload=x"))
            .expect("an answer, and no words for a log");
        assert_eq!(no_json, WebhookAnswer::new(400).into());
    }

    #[test]
    fn without_a_signing_secret_it_takes_no_events() {
        let mut slack = Harness::<Slack>::new(json!({"client-id": "1.2", "client-secret": "s3cret"}));
        assert_eq!(slack.handle_event(signed("", &NOW.to_string(), "{}")).expect("an answer").answer.status, 404);
    }
}
