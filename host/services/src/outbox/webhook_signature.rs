//! Signs deliveries (Standard Webhooks, "Signature scheme"): HMAC-SHA256 with the secret that the
//! program knows (`v1`), and Ed25519 with a key of which it knows the public half (`v1a`).

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::Sha256;

use jackfield_store::endpoints::EndpointSecrets;

/// Before the text of a secret.
const SECRET: &str = "whsec_";
/// Before the text of a public key.
const PUBLIC_KEY: &str = "whpk_";
/// Bytes of a new secret. The specification has 24 to 64.
const LENGTH: usize = 32;
const SHORTEST: usize = 24;
const LONGEST: usize = 64;

/// Most former secrets that sign beside the new one.
const MOST_FORMER: usize = 4;

/// New secrets.
pub(super) fn generate() -> EndpointSecrets {
    EndpointSecrets { symmetric: random(), former: Vec::new(), seed: random() }
}

/// The same endpoint with a new secret. The one before signs beside it until a time.
pub(super) fn rotated(before: EndpointSecrets, until: i64, now: i64) -> EndpointSecrets {
    let EndpointSecrets { symmetric, mut former, seed } = before;
    former.retain(|(_, until)| *until > now);
    former.insert(0, (symmetric, until));
    former.truncate(MOST_FORMER);
    EndpointSecrets { symmetric: random(), former, seed }
}

fn random() -> String {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).expect("the operating system has a random generator");
    BASE64_STANDARD.encode(bytes)
}

/// The text of a secret, as the program gets it.
pub(super) fn secret_text(secrets: &EndpointSecrets) -> String {
    format!("{SECRET}{}", secrets.symmetric)
}

/// A secret by its text: `whsec_` and 24 to 64 bytes in base64.
pub(super) fn secret_of_text(text: &str) -> Option<String> {
    let secret = text.strip_prefix(SECRET)?;
    let bytes = BASE64_STANDARD.decode(secret).ok()?;
    (SHORTEST..=LONGEST).contains(&bytes.len()).then(|| secret.to_owned())
}

/// The text of the public key. `None` if the seed is damaged.
pub(super) fn public_key_text(secrets: &EndpointSecrets) -> Option<String> {
    Some(format!("{PUBLIC_KEY}{}", BASE64_STANDARD.encode(pair(secrets)?.public_key())))
}

fn pair(secrets: &EndpointSecrets) -> Option<Ed25519KeyPair> {
    let seed = BASE64_STANDARD.decode(&secrets.seed).ok()?;
    Ed25519KeyPair::from_seed_unchecked(&seed).ok()
}

/// The value of `webhook-signature`: one signature for each secret that is in use, and one of the
/// key pair. `timestamp` is in seconds since 1970 UTC, `now` in milliseconds.
pub(super) fn signatures(secrets: &EndpointSecrets, id: &str, timestamp: i64, body: &str, now: i64) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    let former = secrets.former.iter().filter(|(_, until)| *until > now).map(|(secret, _)| secret);
    let symmetric = std::iter::once(&secrets.symmetric).chain(former);
    let mut all: Vec<String> = symmetric.filter_map(|secret| hmac(secret, &signed)).collect();
    all.extend(pair(secrets).map(|pair| format!("v1a,{}", BASE64_STANDARD.encode(pair.sign(signed.as_bytes())))));
    all.join(" ")
}

fn hmac(secret: &str, signed: &str) -> Option<String> {
    let key = BASE64_STANDARD.decode(secret).ok()?;
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).ok()?.chain_update(signed);
    Some(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    /// The example of the specification's test suites.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let secrets = EndpointSecrets {
            symmetric: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
            ..generate()
        };
        let signed = signatures(&secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#, 0);
        assert_eq!(signed.split(' ').next(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn the_key_pair_signs_the_same_text() {
        let secrets = generate();
        let all = signatures(&secrets, "evt_1", 5, "{}", 0);
        let signature = all.split(' ').next_back().and_then(|text| text.strip_prefix("v1a,")).expect("there is one");
        let signature = BASE64_STANDARD.decode(signature).expect("base64");
        let public = public_key_text(&secrets).expect("a key");
        let public = BASE64_STANDARD.decode(public.strip_prefix(PUBLIC_KEY).expect("its prefix")).expect("base64");
        assert!(UnparsedPublicKey::new(&ED25519, public).verify(b"evt_1.5.{}", &signature).is_ok());
    }

    #[test]
    fn a_former_secret_signs_until_its_time() {
        let first = generate();
        let second = rotated(first.clone(), 100, 0);
        let count = |now| signatures(&second, "evt_1", 5, "{}", now).split(' ').count();
        assert_eq!((count(99), count(100)), (3, 2));
        let old = signatures(&first, "evt_1", 5, "{}", 0);
        let old = old.split(' ').next().expect("one");
        assert!(signatures(&second, "evt_1", 5, "{}", 0).split(' ').any(|one| one == old));
        assert_ne!(second.symmetric, first.symmetric);
        let many = (0..9).fold(second, |secrets, _| rotated(secrets, 100, 0));
        assert_eq!(many.former.len(), MOST_FORMER);
    }

    #[test]
    fn a_secret_has_the_length_that_the_specification_says() {
        for (bytes, is_good) in [(23, false), (24, true), (64, true), (65, false)] {
            let text = format!("whsec_{}", BASE64_STANDARD.encode(vec![7; bytes]));
            assert_eq!(secret_of_text(&text).is_some(), is_good, "{bytes}");
        }
        assert_eq!(secret_of_text("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), None);
        let secrets = generate();
        assert_eq!(secret_of_text(&secret_text(&secrets)), Some(secrets.symmetric));
    }
}
