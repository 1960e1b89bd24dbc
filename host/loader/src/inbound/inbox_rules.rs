//! A declaration that was read: verifies calls, and finds what stands in them.

use std::cell::OnceCell;

use jackfield_plugin_abi::envelope::{
    AccountPlace, Inbox, Pairs, Secret, SecretEncoding, SignatureAlgorithm, SignatureEncoding, WebhookRequest,
};
use serde_json::Value;

use super::{
    accounts::{AccountRule, Accounts},
    call_time::{is_recent, seconds},
    place::{PLACES, Place, elements, header_name, json_body},
    signature_check::{is_signed, is_token, secret_bytes, signature_bytes},
    template::{Parts, Template, WORDS},
    unverified::Unverified,
};

/// How the calls of a provider's service are verified and read. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct InboxRules {
    /// `None` if the service signs nothing.
    signing: Option<Signing>,
    secret: Secret,
    delivery_id: Option<Place>,
    accounts: Vec<AccountRule>,
    challenges: Vec<Challenge>,
    /// Names of headers that programs get, in lower case.
    passed: Vec<String>,
}

#[derive(Clone, Debug)]
struct Signing {
    header: String,
    prefix: String,
    algorithm: SignatureAlgorithm,
    encoding: SignatureEncoding,
    template: Template,
    timestamp: Option<Place>,
    tolerance: u64,
    secret_encoding: SecretEncoding,
}

/// What the service wants back.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Challenge {
    /// A text of the signed body.
    Body(Place),
    /// A parameter of the query.
    Query(Place),
    /// A header, whose value is the webhook's secret from then on.
    Header(String),
    /// Any answer to a `HEAD`.
    Head,
}

/// The answer to a challenge.
#[derive(Clone, PartialEq, Eq)]
pub enum ChallengeAnswer {
    /// This text as the body.
    Text(String),
    /// This header. Its value is the secret of the webhook from now on.
    Secret {
        /// Name of the header.
        name: String,
        /// Its value.
        value: String,
    },
    /// Nothing but a status of 200.
    Empty,
}

/// A call, and the URL at which it came.
pub struct InboundCall<'a> {
    call: &'a WebhookRequest,
    url: &'a str,
    body: OnceCell<Value>,
}

/// What is wrong with a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InboxDiagnostic {
    /// The key of the table.
    pub(crate) key: &'static str,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// Longest text that a challenge gives back, in bytes.
const LONGEST_CHALLENGE: usize = 4096;
/// Longest id of a delivery or an account, in characters. No service has longer ones.
const LONGEST_ID: usize = 255;
/// Most headers that programs get, most places of the account, most challenges.
const MOST: usize = 32;

impl<'a> InboundCall<'a> {
    /// A call that came at this URL, which has its query.
    #[must_use]
    pub const fn new(call: &'a WebhookRequest, url: &'a str) -> Self {
        Self { call, url, body: OnceCell::new() }
    }

    fn body(&self) -> &Value {
        self.body.get_or_init(|| json_body(self.call))
    }

    fn find(&self, place: &Place) -> Option<String> {
        // A body that nobody asks for is not read.
        match place {
            Place::Body(_) | Place::EachOfBody(_) => place.find(self.call, self.body()),
            Place::Header { .. } | Place::Query(_) => place.find(self.call, &Value::Null),
        }
    }
}

impl InboxRules {
    /// Reads a declaration.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn read(inbox: &Inbox) -> Result<Self, Vec<InboxDiagnostic>> {
        let mut reader = RulesReader::default();
        let rules = reader.rules(inbox);
        if reader.diagnostics.is_empty() { Ok(rules) } else { Err(reader.diagnostics) }
    }

    /// Whether the service signs its calls. If not, it can only challenge.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        self.signing.is_some()
    }

    /// Whether a call says which account it is about, so that all accounts can share one URL.
    #[must_use]
    pub const fn names_accounts(&self) -> bool {
        !self.accounts.is_empty()
    }

    /// Whether a webhook gets its secret by a handshake.
    #[must_use]
    pub fn takes_secret_by_handshake(&self) -> bool {
        self.challenges.iter().any(|challenge| matches!(challenge, Challenge::Header(_)))
    }

    /// Whether the operator has set a secret.
    #[must_use]
    pub const fn has_secret(&self) -> bool {
        !self.secret.is_empty()
    }

    /// The answer to a challenge that nobody signs; `None` if the call is none.
    #[must_use]
    pub fn challenge(&self, call: &InboundCall<'_>) -> Option<ChallengeAnswer> {
        self.challenges.iter().find_map(|challenge| match challenge {
            Challenge::Query(place) => call.find(place).filter(|text| is_short(text)).map(ChallengeAnswer::Text),
            Challenge::Header(name) => {
                let value = call.call.header(name).filter(|value| !value.is_empty() && is_short(value))?;
                Some(ChallengeAnswer::Secret { name: name.clone(), value: value.to_owned() })
            }
            Challenge::Head => (call.call.method == "HEAD").then_some(ChallengeAnswer::Empty),
            Challenge::Body(_) => None,
        })
    }

    /// The answer to a challenge of a call that was verified; `None` if it is none.
    #[must_use]
    pub fn signed_challenge(&self, call: &InboundCall<'_>) -> Option<ChallengeAnswer> {
        self.challenges.iter().find_map(|challenge| match challenge {
            Challenge::Body(place) => call.find(place).filter(|text| is_short(text)).map(ChallengeAnswer::Text),
            Challenge::Query(_) | Challenge::Header(_) | Challenge::Head => None,
        })
    }

    /// Verifies the bytes of a call. `webhook_secret` is that of the one webhook at which it came,
    /// and goes before the operator's. `now` is in seconds since 1970 UTC.
    ///
    /// # Errors
    /// Why it is not known to be the service's.
    pub fn verify(&self, call: &InboundCall<'_>, webhook_secret: Option<&str>, now: u64) -> Result<(), Unverified> {
        let signing = self.signing.as_ref().ok_or(Unverified::Unsupported)?;
        let secret = webhook_secret.unwrap_or_else(|| self.secret.expose());
        let secret = secret_bytes(secret, signing.secret_encoding).ok_or(Unverified::NoSecret)?;
        signing.verify(call, &secret, now)
    }

    /// The service's id of the delivery.
    #[must_use]
    pub fn delivery_id(&self, call: &InboundCall<'_>) -> Option<String> {
        call.find(self.delivery_id.as_ref()?).filter(|id| is_id(id))
    }

    /// The accounts that a call is about.
    #[must_use]
    pub fn accounts(&self, call: &InboundCall<'_>) -> Accounts {
        let found = self.accounts.iter().find_map(|rule| rule.find(call.call, call.body()));
        match found.unwrap_or(Accounts::None) {
            Accounts::Some(all) => Accounts::Some(all.into_iter().filter(|(id, _)| is_id(id)).collect()),
            other => other,
        }
    }

    /// The headers that programs get.
    #[must_use]
    pub fn passed_headers(&self, call: &WebhookRequest) -> Pairs {
        let is_passed =
            |(name, _): &&(String, String)| self.passed.iter().any(|passed| passed.eq_ignore_ascii_case(name));
        call.headers.iter().filter(is_passed).cloned().collect()
    }
}

/// PostgreSQL takes no NUL.
fn is_id(id: &str) -> bool {
    id.chars().count() <= LONGEST_ID && !id.contains('\0')
}

const fn is_short(text: &str) -> bool {
    text.len() <= LONGEST_CHALLENGE
}

impl Signing {
    fn verify(&self, call: &InboundCall<'_>, secret: &[u8], now: u64) -> Result<(), Unverified> {
        if self.algorithm == SignatureAlgorithm::Unknown || self.encoding == SignatureEncoding::Unknown {
            return Err(Unverified::Unsupported);
        }
        let signed_time = self.timestamp.as_ref().filter(|_| self.template.has_timestamp());
        let time = signed_time.map(|place| call.find(place).ok_or(Unverified::NoTime)).transpose()?;
        self.check_signature(call, secret, time.as_deref().unwrap_or_default())?;
        let Some(place) = &self.timestamp else { return Ok(()) };
        // A time in the body is read only now, when the body is known to be the service's.
        let time = time.or_else(|| call.find(place)).and_then(|time| seconds(&time)).ok_or(Unverified::NoTime)?;
        if is_recent(time, now, self.tolerance) { Ok(()) } else { Err(Unverified::WrongTime) }
    }

    fn check_signature(&self, call: &InboundCall<'_>, secret: &[u8], timestamp: &str) -> Result<(), Unverified> {
        let mut given = elements(call.call, &self.header, &self.prefix).filter(|text| !text.is_empty()).peekable();
        given.peek().ok_or(Unverified::NoSignature)?;
        if self.algorithm == SignatureAlgorithm::Token {
            let is_it = given.any(|token| is_token(secret, token.as_bytes()));
            return is_it.then_some(()).ok_or(Unverified::WrongSignature);
        }
        let header = |name: &str| call.call.header(name).unwrap_or_default().to_owned();
        let (body, method) = (&*call.call.body, &*call.call.method);
        let bytes = self.template.filled(&Parts { body, timestamp, method, url: call.url, header: &header });
        let mut signatures = given.filter_map(|text| signature_bytes(text, self.encoding)).peekable();
        signatures.peek().ok_or(Unverified::NoSignature)?;
        let is_it = signatures.any(|signature| is_signed(self.algorithm, secret, &bytes, &signature));
        is_it.then_some(()).ok_or(Unverified::WrongSignature)
    }
}

/// Reads a declaration, and goes on after a mistake.
#[derive(Default)]
struct RulesReader {
    diagnostics: Vec<InboxDiagnostic>,
}

impl RulesReader {
    fn rules(&mut self, inbox: &Inbox) -> InboxRules {
        let signing = (!inbox.header.is_empty()).then(|| self.signing(inbox));
        let delivery_id = self.place("delivery-id", &inbox.delivery_id);
        let accounts = inbox.accounts.iter().filter_map(|account| self.account(account)).collect();
        let challenges: Vec<_> = inbox.challenges.iter().filter_map(|text| self.challenge(text)).collect();
        if signing.is_none() && challenges.is_empty() {
            self.note("header", "missing", "write the header that has the service's signature, like x-acme-signature");
        }
        self.at_most("challenge", inbox.challenges.len());
        self.at_most("account", inbox.accounts.len());
        self.at_most("headers", inbox.headers.len());
        let timestamp = signing.as_ref().and_then(|signing| signing.timestamp.as_ref());
        let named = [delivery_id.as_ref(), timestamp].into_iter().flatten().filter_map(Place::header);
        let mut passed: Vec<String> = named.map(str::to_owned).chain(["content-type".to_owned()]).collect();
        passed.extend(inbox.headers.iter().filter_map(|name| self.header("headers", name)));
        InboxRules { signing, secret: inbox.secret.clone(), delivery_id, accounts, challenges, passed }
    }

    fn signing(&mut self, inbox: &Inbox) -> Signing {
        let template = Template::parse(&inbox.template).unwrap_or_else(|word| {
            self.note("template", format!("{word} is nothing of a call"), format!("write {WORDS}"));
            Template::parse("").expect("an empty template is the body")
        });
        let timestamp = self.place("timestamp", &inbox.timestamp);
        let is_token = inbox.algorithm == SignatureAlgorithm::Token;
        if !is_token && !template.has_body() {
            self.note("template", "the body is not signed", "write {body} where the service puts it");
        }
        if template.has_timestamp() && timestamp.is_none() && inbox.timestamp.is_empty() {
            self.note("timestamp", "missing, and the template has {timestamp}", PLACES);
        }
        let is_unsigned = !matches!(timestamp, None | Some(Place::Body(_))) && !template.has_timestamp();
        if is_unsigned {
            let help = "add {timestamp} to the template, or remove it: anybody could write another time";
            self.note("timestamp", "not signed", help);
        }
        let tolerance = if inbox.tolerance == 0 { Inbox::TOLERANCE } else { inbox.tolerance };
        Signing {
            header: self.header("header", &inbox.header).unwrap_or_default(),
            prefix: inbox.prefix.clone(),
            algorithm: inbox.algorithm,
            encoding: inbox.encoding,
            template,
            timestamp,
            tolerance,
            secret_encoding: inbox.secret_encoding,
        }
    }

    fn account(&mut self, account: &AccountPlace) -> Option<AccountRule> {
        let place = self.place("account", &account.at);
        let condition = self.place("account", &account.condition);
        if account.at.is_empty() {
            self.note("account", "empty", PLACES);
        }
        Some(AccountRule { place: place?, condition, expected: account.expected.clone() })
    }

    fn challenge(&mut self, text: &str) -> Option<Challenge> {
        let challenge = match Place::parse(text) {
            Some(place @ Place::Body(_)) => Some(Challenge::Body(place)),
            Some(place @ Place::Query(_)) => Some(Challenge::Query(place)),
            Some(Place::Header { name, prefix }) if prefix.is_empty() => Some(Challenge::Header(name)),
            Some(_) => None,
            None => (text == "method:head").then_some(Challenge::Head),
        };
        if challenge.is_none() {
            let help = "write body:PATH, query:NAME, header:NAME or method:head";
            self.note("challenge", "not a known challenge", help);
        }
        challenge
    }

    /// A place; `None` if none is written.
    fn place(&mut self, key: &'static str, text: &str) -> Option<Place> {
        if text.is_empty() {
            return None;
        }
        let place = Place::parse(text);
        if place.is_none() {
            self.note(key, "not a place in a call", PLACES);
        }
        place
    }

    fn header(&mut self, key: &'static str, name: &str) -> Option<String> {
        let header = header_name(name);
        if header.is_none() {
            self.note(key, "not the name of a header", "write it as the service does, like x-acme-signature");
        }
        header
    }

    fn at_most(&mut self, key: &'static str, count: usize) {
        if count > MOST {
            self.note(key, format!("{count} of them, and {MOST} at most are taken"), "remove some");
        }
    }

    fn note(&mut self, key: &'static str, message: impl Into<String>, help: impl Into<String>) {
        let diagnostic = InboxDiagnostic { key, message: message.into(), help: help.into() };
        if !self.diagnostics.contains(&diagnostic) {
            self.diagnostics.push(diagnostic);
        }
    }
}
