//! Signs setups and verifies them, and derives the keys of their webhooks.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::active::Setup;
use jackfield_config::{SecretKey, SecretKeys};
use jackfield_loader::Provider;

/// The fields of a setup as one unambiguous sequence of bytes: each follows its length.
fn canonical(setup: &Setup, provider: &SignedProvider<'_>) -> Vec<u8> {
    let state = Value::Object(setup.state.clone()).to_string();
    let optional = |id: Option<String>| id.map_or_else(|| "-".to_owned(), |id| format!("+{id}"));
    let mut fields = vec![
        setup.nonce.clone(),
        setup.owner.signed(),
        setup.organization.to_string(),
        setup.provider.clone(),
        optional(setup.integration.map(|id| id.to_string())),
        setup.step.to_string(),
        state,
        Value::from(setup.hosts.clone()).to_string(),
        Value::from(setup.url_fields.clone()).to_string(),
        setup.sent_again.to_string(),
        setup.dialog.to_string(),
        optional(setup.channel.as_ref().map(|channel| channel.as_str().to_owned())),
        setup.started.to_string(),
        Value::from(setup.key.to_vec()).to_string(),
        provider.fingerprint.to_owned(),
    ];
    fields.extend(provider.steps.iter().map(|step| (*step).to_owned()));
    with_lengths(fields.iter().map(String::as_str))
}

fn with_lengths<'a>(fields: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend_from_slice(&field.len().to_be_bytes());
        bytes.extend_from_slice(field.as_bytes());
    }
    bytes
}

/// What is signed of a provider. A setup does not go on under another build, other options or other
/// steps.
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
    /// A MAC of the provider as it was. It only chooses the message: the provider has changed, or
    /// the setup has.
    #[serde(default)]
    provider: String,
}

/// A setup as it came out of the database, not yet verified.
pub(super) struct Unverified {
    pub(super) setup: Setup,
    signature: Vec<u8>,
    provider: String,
}

/// Signs and verifies setups with HMAC-SHA256, each with the secret key that it started with.
#[derive(Clone)]
pub(super) struct Signer(SecretKeys);

impl Signer {
    pub(super) fn new(keys: &SecretKeys) -> Self {
        Self(keys.clone())
    }

    /// The key of a setup. If it is gone, any other will do: it has signed nothing, so nothing
    /// verifies.
    fn key_of(&self, setup: &Setup) -> SecretKey {
        self.0.find(setup.key).unwrap_or_else(|| self.0.oldest())
    }

    fn mac(&self, setup: &Setup, provider: &SignedProvider<'_>) -> Hmac<Sha256> {
        keyed(&self.key_of(setup), "setup signature").chain_update(canonical(setup, provider))
    }

    /// The key in the URL of a setup's webhook: 256 bits that cannot be derived from the nonce,
    /// which is in the log.
    pub(super) fn webhook_key(&self, setup: &Setup) -> String {
        let mac = keyed(&self.key_of(setup), "webhook key").chain_update(&setup.nonce);
        BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    pub(super) fn sign<'a>(&self, setup: &Setup, provider: impl Into<SignedProvider<'a>>) -> String {
        let provider = provider.into();
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.mac(setup, &provider).finalize().into_bytes());
        let signed = Signed { setup: setup.clone(), signature, provider: self.provider_mac(setup, &provider) };
        serde_json::to_string(&signed).expect("a setup is plain JSON")
    }

    /// `None` if the text is not a setup at all.
    pub(super) fn read(text: &str) -> Option<Unverified> {
        let signed: Signed = serde_json::from_str(text).ok()?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signed.signature).ok()?;
        Some(Unverified { setup: signed.setup, signature, provider: signed.provider })
    }

    /// Differs for each provider, and after a change of its build, options or steps. Keyed, because
    /// options may be short enough to guess.
    fn provider_mac(&self, setup: &Setup, provider: &SignedProvider<'_>) -> String {
        let mac = keyed(&self.key_of(setup), "setup signature");
        let fields = std::iter::once(provider.fingerprint).chain(provider.steps.iter().copied());
        let mac = mac.chain_update(b"provider").chain_update(with_lengths(fields));
        BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// Whether it says that it was signed for the provider as it is now.
    pub(super) fn is_for<'a>(&self, unverified: &Unverified, provider: impl Into<SignedProvider<'a>>) -> bool {
        unverified.provider == self.provider_mac(&unverified.setup, &provider.into())
    }

    /// Compares in constant time.
    pub(super) fn is_signed<'a>(&self, unverified: &Unverified, provider: impl Into<SignedProvider<'a>>) -> bool {
        self.mac(&unverified.setup, &provider.into()).verify_slice(&unverified.signature).is_ok()
    }
}

/// The only form in which the key of a webhook is stored.
pub(super) fn webhook_key_hash(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

fn keyed(key: &SecretKey, purpose: &'static str) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(&*key.derive(purpose)).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

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
        let setup: Setup = serde_json::from_value(setup).expect("a setup");
        serde_json::from_str(&signer(7).sign(&setup, provider("d", &STEPS))).expect("JSON")
    }

    fn is_signed(value: &Value, key: u8, provider: SignedProvider<'_>) -> bool {
        let unverified = Signer::read(&value.to_string());
        unverified.is_some_and(|unverified| signer(key).is_signed(&unverified, provider))
    }

    #[test]
    fn only_what_was_signed_is_verified() {
        assert!(is_signed(&signed(), 7, provider("d", &STEPS)));
        assert!(!is_signed(&signed(), 8, provider("d", &STEPS)), "another key");
        assert!(!is_signed(&signed(), 7, provider("e", &STEPS)), "another build of the plugin");
        for steps in [&["name"][..], &["confirm", "name"], &["name", "confirm", "more"], &["nameconfirm"], &[]] {
            assert!(!is_signed(&signed(), 7, provider("d", steps)), "steps changed by a plugin upgrade: {steps:?}");
        }
    }

    #[test]
    fn a_changed_provider_is_not_a_tampered_setup() {
        let is_for = |provider| signer(7).is_for(&Signer::read(&signed().to_string()).expect("a setup"), provider);
        assert!(is_for(provider("d", &STEPS)));
        assert!(!is_for(provider("e", &STEPS)) && !is_for(provider("d", &["name"])));
        assert!(!signed().to_string().contains("\"provider\":\"d\""), "nothing of it is readable");
    }

    #[test]
    fn a_webhooks_key_is_the_setups_own_and_does_not_follow_from_the_nonce() {
        let key = |key: u8, nonce: &str| {
            let mut setup = Signer::read(&signed().to_string()).expect("a setup").setup;
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
            ("user", json!("connect-session 1")),
            ("organization", json!(1)),
            ("provider", json!("acmf")),
            ("integration", json!(null)),
            ("integration", json!(4)),
            ("step", json!(0)),
            ("state", json!({"a": "c"})),
            ("hosts", json!([])),
            ("hosts", json!(["a", "c"])),
            ("hosts", json!(["a\",\"b"])),
            ("url_fields", json!(["a"])),
            ("sent_again", json!(true)),
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
    fn a_persons_setup_is_no_connect_sessions() {
        let mut tampered = signed();
        let setup = tampered["setup"].as_object_mut().expect("an object");
        let user = setup.remove("user").expect("its owner");
        setup.insert("connect_session".to_owned(), user);
        assert!(Signer::read(&tampered.to_string()).is_some(), "it is one, of another owner");
        assert!(!is_signed(&tampered, 7, provider("d", &STEPS)));
    }

    /// One in some fifty thousand numbers near this one was printed, read and printed as another.
    #[test]
    fn a_number_in_the_state_is_no_tampering() {
        let mut setup: Value = signed();
        setup["setup"]["state"] = json!({"rate": 0.000_000_222_690_567_911_365_56, "small": 5e-324, "large": f64::MAX});
        let setup: Setup = serde_json::from_value(setup["setup"].take()).expect("a setup");
        let text = signer(7).sign(&setup, provider("d", &STEPS));
        let unverified = Signer::read(&text).expect("it is readable");
        assert_eq!(unverified.setup, setup);
        assert!(signer(7).is_signed(&unverified, provider("d", &STEPS)));
    }

    proptest! {
        #[test]
        fn random_tampering_is_refused(at in 0usize..4096, xor in 1u8..=255) {
            let mut bytes = signed().to_string().into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= xor;
            if let Some(unverified) = std::str::from_utf8(&bytes).ok().and_then(Signer::read) {
                let original = Signer::read(&signed().to_string()).expect("it is readable");
                let is_verified = signer(7).is_signed(&unverified, provider("d", &STEPS));
                prop_assert_eq!(is_verified, unverified.setup == original.setup && unverified.signature == original.signature);
            }
        }
    }
}
