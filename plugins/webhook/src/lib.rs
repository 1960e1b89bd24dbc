//! Webhook: for any service that can call a URL and sign its calls. There is no log-in: the person gives the service a URL and a secret, and
//! the first call that is signed with it is the proof. A signature is `X-Signature: sha256=` and the hex HMAC-SHA256 of the body as sent.
//! A call may say when it was made, `X-Timestamp: ` in seconds since 1970: then it is taken for five minutes, and what is signed is `v1:`, the
//! timestamp, `:` and the body.

use std::time::SystemTime;

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
        Pipeline::new().view("call", wait_for_call)
    }

    async fn build_integration(&self, state: State, _: Host) -> Result<Integration> {
        let (secret, call): (String, Value) = (value(&state, "secret")?, value(&state, "call")?);
        let told = |name: &str| match &call[name] {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let name = told("name").or_else(|| told("id")).unwrap_or_else(|| "Webhook".to_owned());
        // Anybody can sign any id with a secret of their own: an integration that went by it could be taken over by who calls next. So it
        // goes by the secret, which nobody else has.
        let id = BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(&secret)[..16]);
        Ok(Integration::new(id).name(name).metadata_if_some("account_id", told("id")).metadata("secret", secret))
    }

    async fn handle_webhook(&self, call: WebhookRequest, state: State, host: Host) -> Result<WebhookResponse> {
        let Ok(secret) = value::<String>(&state, "secret") else { return Ok(WebhookResponse::new(401)) };
        if !is_signed(&call, &secret, host.now())? {
            return Ok(WebhookResponse::new(401));
        }
        // The first call decides: a later one of the same set-up changes nothing. What is no JSON was still signed.
        let answer = WebhookResponse::new(204);
        let is_first = !state.contains_key("call");
        Ok(if is_first { answer.bind("call", call.json::<Value>().unwrap_or_default()) } else { answer })
    }
}

async fn wait_for_call(mut step: Step) -> Result<Answer> {
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
    let (url, secret) = (step.webhook_url(), step.value::<String>("secret")?);
    Ok(Answer::wait(format!(
        "<p>Have the service call this URL:</p><p><code>{url}</code></p>\
         <p>and sign each call with this secret, as HMAC-SHA256 of the body in <code>X-Signature: sha256=…</code>:</p>\
         <p><code>{secret}</code></p><p>A call may say when it was made, in X-Timestamp, as seconds since 1970: then it is taken for five \
         minutes, and what is signed is v1:, the timestamp, a colon and the body.</p><p>This page goes on by itself once a signed call has come.</p>"
    )))
}

/// Longest time between a call and its timestamp, either way, in seconds.
const LIFE_OF_A_CALL: u64 = 300;

/// Compared in constant time: how far a guess is right is told by nothing. A timestamp is signed along, so that nobody takes it away.
fn is_signed(call: &WebhookRequest, secret: &str, now: SystemTime) -> Result<bool> {
    let given = call.header("x-signature").and_then(|value| value.strip_prefix("sha256=")).unwrap_or_default();
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes())?;
    let mac = match call.header("x-timestamp") {
        Some(at) if !is_of_now(at, now) => return Ok(false),
        Some(at) => mac.chain_update(format!("v1:{at}:")),
        None => mac,
    };
    let mac = mac.chain_update(&call.body);
    let bytes = given.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    Ok(bytes.collect::<Option<Vec<u8>>>().is_some_and(|bytes| mac.verify_slice(&bytes).is_ok()))
}

fn is_of_now(at: &str, now: SystemTime) -> bool {
    let is_plain = at.bytes().all(|byte| byte.is_ascii_digit());
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    is_plain && at.parse::<u64>().is_ok_and(|at| at.abs_diff(now) <= LIFE_OF_A_CALL)
}

export_providers!(Webhook);

#[cfg(test)]
mod tests;
