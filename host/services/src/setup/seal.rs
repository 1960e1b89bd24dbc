//! The state of one set-up, signed.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use time::OffsetDateTime;

use super::{Channel, Start};
use jackfield_config::{SecretKey, SecretKeys};
use jackfield_loader::{Provider, State};
use jackfield_store::{IntegrationId, OrganizationId, UserId, milliseconds};

/// One set-up under way. Every field is signed. `Debug` shows no state: it holds codes and tokens.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Tells this set-up from all others; `setup.id` in the log.
    pub nonce: String,
    /// Who started it.
    pub user: UserId,
    /// For which organization.
    pub organization: OrganizationId,
    /// Id of the provider.
    pub provider: String,
    /// The integration to re-authenticate.
    pub integration: Option<IntegrationId>,
    /// Index of the current step.
    pub step: usize,
    /// What the steps have bound.
    pub state: State,
    /// The hosts that the person has named in forms, where the provider may reach such hosts.
    pub hosts: Vec<String>,
    /// Whether it runs in a pop-up.
    pub dialog: bool,
    /// Where the page that opened the pop-up also listens for the answer.
    pub channel: Option<Channel>,
    /// When it started, in milliseconds since 1970 UTC.
    pub started: i64,
    /// Id of the secret key that it is signed under to its end, although another may take its place meanwhile.
    #[serde(default)]
    pub key: [u8; 4],
}

/// Most hosts that one set-up's person can name; the oldest are forgotten.
const MOST_HOSTS: usize = 8;

impl Setup {
    pub(super) fn name_hosts(&mut self, named: Vec<String>) {
        self.hosts.retain(|host| !named.contains(host));
        self.hosts.extend(named);
        self.hosts.drain(..self.hosts.len().saturating_sub(MOST_HOSTS));
    }

    pub(super) fn new(start: &Start<'_>, key: [u8; 4], now: OffsetDateTime) -> Self {
        Self {
            nonce: nonce(),
            user: start.user,
            organization: start.organization.id,
            provider: start.provider.to_owned(),
            integration: start.integration,
            step: 0,
            state: State::new(),
            hosts: Vec::new(),
            dialog: start.dialog,
            channel: start.channel.clone(),
            started: milliseconds(now),
            key,
        }
    }

    /// The fields in one unambiguous row of bytes: each is preceded by its length.
    fn canonical(&self, provider: &SignedProvider<'_>) -> Vec<u8> {
        let state = serde_json::Value::Object(self.state.clone()).to_string();
        let optional = |id: Option<String>| id.map_or_else(|| "-".to_owned(), |id| format!("+{id}"));
        let mut fields = vec![
            self.nonce.clone(),
            self.user.to_string(),
            self.organization.to_string(),
            self.provider.clone(),
            optional(self.integration.map(|id| id.to_string())),
            self.step.to_string(),
            state,
            serde_json::Value::from(self.hosts.clone()).to_string(),
            self.dialog.to_string(),
            optional(self.channel.as_ref().map(|channel| channel.as_str().to_owned())),
            self.started.to_string(),
            serde_json::Value::from(self.key.to_vec()).to_string(),
            provider.fingerprint.to_owned(),
        ];
        fields.extend(provider.steps.iter().map(|step| (*step).to_owned()));
        fields.iter().flat_map(|field| [&field.len().to_be_bytes(), field.as_bytes()].concat()).collect()
    }
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Setup({} of {} at step {})", self.nonce, self.provider, self.step)
    }
}

fn nonce() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has a random generator");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// What of a provider is signed with a set-up, so that another build, other options or other steps end it.
pub(super) struct SignedProvider<'a> {
    pub(super) fingerprint: &'a str,
    pub(super) steps: Vec<&'a str>,
}

impl<'a> From<&'a Provider> for SignedProvider<'a> {
    fn from(provider: &'a Provider) -> Self {
        let steps = provider.steps().iter().map(|step| step.name.as_str()).collect();
        Self { fingerprint: provider.fingerprint(), steps }
    }
}

#[derive(Serialize, Deserialize)]
struct Signed {
    setup: Setup,
    signature: String,
    /// What the provider was like, so that a changed provider is told from a changed set-up. Believed for no more than the words.
    #[serde(default)]
    provider: String,
}

/// A set-up as it came out of the session: readable, not yet believed.
pub(super) struct Unverified {
    pub(super) setup: Setup,
    signature: Vec<u8>,
    provider: String,
}

/// Signs and verifies set-ups with HMAC-SHA256, each under the secret key it began with.
pub(super) struct Signer(SecretKeys);

impl Signer {
    pub(super) fn new(keys: &SecretKeys) -> Self {
        Self(keys.clone())
    }

    /// The key of a set-up. Where it is gone, any will do: nothing is signed under it.
    fn key_of(&self, setup: &Setup) -> SecretKey {
        self.0.find(setup.key).unwrap_or_else(|| self.0.oldest())
    }

    fn mac(&self, setup: &Setup, provider: &SignedProvider<'_>) -> Hmac<Sha256> {
        keyed(&self.key_of(setup), "setup signature").chain_update(setup.canonical(provider))
    }

    /// The key in the URL of a set-up's webhook: 256 bits that nobody can tell from the nonce, which the log has.
    pub(super) fn webhook_key(&self, setup: &Setup) -> String {
        let mac = keyed(&self.key_of(setup), "webhook key").chain_update(&setup.nonce);
        BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    pub(super) fn sign<'a>(&self, setup: &Setup, provider: impl Into<SignedProvider<'a>>) -> String {
        let provider = provider.into();
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.mac(setup, &provider).finalize().into_bytes());
        let signed = Signed { setup: setup.clone(), signature, provider: self.mark(setup, &provider) };
        serde_json::to_string(&signed).expect("a set-up is plain JSON")
    }

    /// `None` when the text is not a set-up at all.
    pub(super) fn read(text: &str) -> Option<Unverified> {
        let signed: Signed = serde_json::from_str(text).ok()?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signed.signature).ok()?;
        Some(Unverified { setup: signed.setup, signature, provider: signed.provider })
    }

    /// Tells one provider from another, or from itself after a change, without telling anything of it: keyed, since options may be short.
    fn mark(&self, setup: &Setup, provider: &SignedProvider<'_>) -> String {
        let mac = keyed(&self.key_of(setup), "setup signature");
        let fields = std::iter::once(provider.fingerprint).chain(provider.steps.iter().copied());
        let text: Vec<u8> = fields.flat_map(|field| [&field.len().to_be_bytes(), field.as_bytes()].concat()).collect();
        BASE64_URL_SAFE_NO_PAD.encode(mac.chain_update(b"provider").chain_update(text).finalize().into_bytes())
    }

    /// Whether it says that it was signed for the provider as it is now.
    pub(super) fn is_for<'a>(&self, unverified: &Unverified, provider: impl Into<SignedProvider<'a>>) -> bool {
        unverified.provider == self.mark(&unverified.setup, &provider.into())
    }

    /// Compares in constant time.
    pub(super) fn is_signed<'a>(&self, unverified: &Unverified, provider: impl Into<SignedProvider<'a>>) -> bool {
        self.mac(&unverified.setup, &provider.into()).verify_slice(&unverified.signature).is_ok()
    }
}

fn keyed(key: &SecretKey, purpose: &'static str) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(&*key.derive(purpose)).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn signer(key: u8) -> Signer {
        Signer(SecretKeys::new([key.to_string().repeat(40).as_str()]))
    }

    const STEPS: [&str; 2] = ["name", "confirm"];

    fn provider<'a>(fingerprint: &'a str, steps: &[&'a str]) -> SignedProvider<'a> {
        SignedProvider { fingerprint, steps: steps.to_vec() }
    }

    fn signed() -> Value {
        let setup = json!({
            "nonce": "n", "user": 1, "organization": 2, "provider": "acme", "integration": 3, "step": 1,
            "state": {"a": "b", "data": {"c": [1, 2]}}, "hosts": ["a", "b"], "dialog": true, "channel": "0123456789abcdef", "started": 5,
        });
        let setup: Setup = serde_json::from_value(setup).expect("a set-up");
        serde_json::from_str(&signer(7).sign(&setup, provider("d", &STEPS))).expect("JSON")
    }

    fn is_signed(value: &Value, key: u8, provider: SignedProvider<'_>) -> bool {
        let unverified = Signer::read(&value.to_string());
        unverified.is_some_and(|unverified| signer(key).is_signed(&unverified, provider))
    }

    #[test]
    fn what_was_signed_is_believed_and_nothing_else() {
        assert!(is_signed(&signed(), 7, provider("d", &STEPS)));
        assert!(!is_signed(&signed(), 8, provider("d", &STEPS)), "another key");
        assert!(!is_signed(&signed(), 7, provider("e", &STEPS)), "another build of the plugin");
        for steps in [&["name"][..], &["confirm", "name"], &["name", "confirm", "more"], &["nameconfirm"], &[]] {
            assert!(!is_signed(&signed(), 7, provider("d", steps)), "steps changed by a plugin upgrade: {steps:?}");
        }
    }

    #[test]
    fn a_changed_provider_is_told_from_a_changed_set_up() {
        let is_for = |provider| signer(7).is_for(&Signer::read(&signed().to_string()).expect("a set-up"), provider);
        assert!(is_for(provider("d", &STEPS)));
        assert!(!is_for(provider("e", &STEPS)) && !is_for(provider("d", &["name"])));
        assert!(!signed().to_string().contains("\"provider\":\"d\""), "nothing of it is told");
    }

    #[test]
    fn a_webhooks_key_is_the_set_ups_own_and_not_told_by_its_nonce() {
        let key = |key: u8, nonce: &str| {
            let mut setup = Signer::read(&signed().to_string()).expect("a set-up").setup;
            setup.nonce = nonce.to_owned();
            signer(key).webhook_key(&setup)
        };
        assert_eq!((key(7, "n"), key(7, "n").len()), (key(7, "n"), 43));
        assert!(key(7, "n") != key(7, "m") && key(7, "n") != key(8, "n"));
    }

    #[test]
    fn each_tampered_field_breaks_the_signature() {
        let changes = [
            ("nonce", json!("m")),
            ("user", json!(2)),
            ("organization", json!(1)),
            ("provider", json!("acmf")),
            ("integration", json!(null)),
            ("integration", json!(4)),
            ("step", json!(0)),
            ("state", json!({"a": "c"})),
            ("hosts", json!([])),
            ("hosts", json!(["a", "c"])),
            ("hosts", json!(["a\",\"b"])),
            ("dialog", json!(false)),
            ("channel", json!(null)),
            ("channel", json!("0123456789abcdeg")),
            ("started", json!(6)),
        ];
        for (field, value) in changes {
            let mut tampered = signed();
            tampered["setup"][field] = value;
            assert!(!is_signed(&tampered, 7, provider("d", &STEPS)), "{field}");
        }
    }

    #[test]
    fn the_hosts_that_were_named_last_are_kept() {
        let mut setup: Setup = serde_json::from_value(signed()["setup"].clone()).expect("a set-up");
        setup.name_hosts(vec!["a".into()]);
        assert_eq!(setup.hosts, ["b", "a"]);
        setup.name_hosts((0..MOST_HOSTS).map(|number| number.to_string()).collect());
        assert_eq!((setup.hosts.len(), setup.hosts[0].as_str()), (MOST_HOSTS, "0"));
    }

    proptest! {
        #[test]
        fn random_tampering_is_refused(at in 0usize..4096, xor in 1u8..=255) {
            let mut bytes = signed().to_string().into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= xor;
            if let Some(unverified) = std::str::from_utf8(&bytes).ok().and_then(Signer::read) {
                let original = Signer::read(&signed().to_string()).expect("it is readable");
                let is_believed = signer(7).is_signed(&unverified, provider("d", &STEPS));
                prop_assert_eq!(is_believed, unverified.setup == original.setup && unverified.signature == original.signature);
            }
        }
    }
}
