//! What a call is: a challenge, one that the service has signed, or one to refuse. Pure.

use base64::{Engine, prelude::BASE64_STANDARD};
use jackfield_loader::{Accounts, ChallengeAnswer, InboundCall, InboxRules, Unverified, WebhookRequest};
use jackfield_store::received_events::ReceivedCall;

/// What a call is.
pub(super) enum Examined {
    /// A challenge, with its answer.
    Challenge(ChallengeAnswer),
    /// The service signs nothing, and the provider has to see for itself.
    Unsigned,
    /// Nobody knows that it is the service's.
    Refused(Unverified),
    /// The service has signed it.
    Verified(VerifiedCall),
}

/// A call that the service has signed.
pub(super) struct VerifiedCall {
    pub(super) call: WebhookRequest,
    pub(super) delivery_id: Option<String>,
    pub(super) accounts: Accounts,
    pub(super) passed_headers: Vec<(String, String)>,
}

/// Says what a call is. `webhook_secret` is that of the webhook at which it came, and `now` is in
/// seconds since 1970 UTC.
pub(super) fn examine(
    rules: &InboxRules,
    call: WebhookRequest,
    url: &str,
    webhook_secret: Option<&str>,
    now: u64,
) -> Examined {
    let inbound = InboundCall::new(&call, url);
    if let Some(answer) = rules.challenge(&inbound) {
        return Examined::Challenge(answer);
    }
    if !rules.is_signed() {
        return Examined::Unsigned;
    }
    if let Err(unverified) = rules.verify(&inbound, webhook_secret, now) {
        return Examined::Refused(unverified);
    }
    if let Some(answer) = rules.signed_challenge(&inbound) {
        return Examined::Challenge(answer);
    }
    let (delivery_id, accounts) = (rules.delivery_id(&inbound), rules.accounts(&inbound));
    let passed_headers = rules.passed_headers(&call);
    Examined::Verified(VerifiedCall { delivery_id, accounts, passed_headers, call })
}

impl VerifiedCall {
    /// The call as it is kept, with a part of its body or with all of it.
    pub(super) fn kept(&self, part: Option<&[u8]>, is_webhook: bool) -> ReceivedCall {
        ReceivedCall {
            method: self.call.method.clone(),
            query: self.call.query.clone(),
            headers: self.call.headers.clone(),
            passed_headers: self.passed_headers.clone(),
            body: BASE64_STANDARD.encode(part.unwrap_or(&self.call.body)),
            is_webhook,
        }
    }
}
