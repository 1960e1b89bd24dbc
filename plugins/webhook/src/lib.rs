//! Webhook: for any service that can send a request and sign it. There is no login: the person
//! gives a URL and a secret to the service, and the first signed request proves that they did.
//!
//! The signature is `X-Signature: sha256=` and the hex HMAC-SHA256 of the body. A request may have
//! `X-Timestamp:`, in seconds since 1970-01-01 UTC. Then it is valid for five minutes, and the
//! service signs `v1:`, the timestamp, `:` and the body.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jackfield_plugin::{
    Answer, Error, Host, Integration, NoOptions, Pipeline, Provider, Result, State, Step, Value, WebhookRequest,
    WebhookResponse, export_providers, value,
};
use sha2::{Digest, Sha256};

struct Webhook;

impl Provider for Webhook {
    type Options = NoOptions;
    const ID: &'static str = "webhook";
    const NAME: &'static str = "Webhook";

    fn new(_: NoOptions) -> Self {
        Self
    }

    fn icon(&self) -> Option<&'static str> {
        Some(include_str!("icon.svg"))
    }

    fn pipeline(&self) -> Pipeline {
        Pipeline::new().view("call", wait_for_request)
    }

    async fn build_integration(&self, state: State, _: Host) -> Result<Integration> {
        let secret: String = value(&state, "secret")?;
        let body: Value = value(&state, "call")?;
        let text = |name: &str| match &body[name] {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let name = text("name").or_else(|| text("id")).unwrap_or_else(|| "Webhook".to_owned());
        // Anybody can sign any id with a secret of their own, and would take over the integration
        // of that id. Only the person and the service know the secret, so it makes the id.
        let id = BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(&secret)[..16]);
        Ok(Integration::new(id).name(name).metadata_if_some("account_id", text("id")).metadata("secret", secret))
    }

    async fn handle_webhook(&self, request: WebhookRequest, state: State, host: Host) -> Result<WebhookResponse> {
        let Ok(secret) = value::<String>(&state, "secret") else { return Ok(WebhookResponse::new(401)) };
        if !is_signed(&request, &secret, host.unix_time())? {
            return Ok(WebhookResponse::new(401));
        }
        let response = WebhookResponse::new(204);
        // The first request counts: later ones of the same setup change nothing.
        if state.contains_key("call") {
            return Ok(response);
        }
        // A body that is no JSON is signed all the same.
        Ok(response.bind("call", request.json::<Value>().unwrap_or_default()))
    }
}

async fn wait_for_request(mut step: Step) -> Result<Answer> {
    if step.value::<Value>("call").is_ok() {
        return Ok(Answer::Next);
    }
    if step.webhook_url().is_empty() {
        return Err(Error::new("this host has no webhooks: use a newer one"));
    }
    if step.value::<String>("secret").is_err() {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        step.bind("secret", BASE64_URL_SAFE_NO_PAD.encode(bytes));
    }
    let url = step.webhook_url();
    let secret: String = step.value("secret")?;
    Ok(Answer::wait(format!(
        "<p>Send calls to this URL:</p><p><code>{url}</code></p>\
         <p>Sign each body in the header <code>X-Signature: sha256=&lt;hex HMAC-SHA256&gt;</code>, with this secret:</p>\
         <p><code>{secret}</code></p>\
         <p>With a header X-Timestamp, in seconds since 1970, a call is valid for five minutes. Then sign v1:, the \
         timestamp, a colon and the body.</p>\
         <p>Waiting for the first signed call …</p>"
    )))
}

/// Greatest difference of a request's timestamp to now, either way, in seconds.
const MAX_TIME_DIFFERENCE: u64 = 300;

/// Verifies the signature in constant time. It covers the timestamp, so nobody can remove that.
fn is_signed(request: &WebhookRequest, secret: &str, now: u64) -> Result<bool> {
    let signature = request.header("x-signature").and_then(|value| value.strip_prefix("sha256=")).unwrap_or_default();
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes())?;
    let mac = match request.header("x-timestamp") {
        Some(timestamp) if !is_recent(timestamp, now) => return Ok(false),
        Some(timestamp) => mac.chain_update(format!("v1:{timestamp}:")),
        None => mac,
    };
    let mac = mac.chain_update(&request.body);
    let pairs = signature.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> =
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    Ok(bytes.is_some_and(|bytes| mac.verify_slice(&bytes).is_ok()))
}

fn is_recent(timestamp: &str, now: u64) -> bool {
    let is_plain = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    is_plain && timestamp.parse::<u64>().is_ok_and(|time| time.abs_diff(now) <= MAX_TIME_DIFFERENCE)
}

export_providers!(Webhook);

#[cfg(test)]
mod tests;
