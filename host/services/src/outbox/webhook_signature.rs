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
    EndpointSecrets { symmetric: random(), former: Vec::new(), seed: random(), former_seeds: Vec::new() }
}

/// The same endpoint with a new secret and a new key pair. Those before sign beside them until a
/// time.
pub(super) fn rotated(before: EndpointSecrets, until: i64, now: i64) -> EndpointSecrets {
    let EndpointSecrets { symmetric, former, seed, former_seeds } = before;
    EndpointSecrets {
        symmetric: random(),
        former: with_former(former, (symmetric, until), now),
        seed: random(),
        former_seeds: with_former(former_seeds, (seed, until), now),
    }
}

fn with_former(mut all: Vec<(String, i64)>, last: (String, i64), now: i64) -> Vec<(String, i64)> {
    all.insert(0, last);
    all.retain(|(_, until)| *until > now);
    all.truncate(MOST_FORMER);
    all
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
    Some(format!("{PUBLIC_KEY}{}", BASE64_STANDARD.encode(pair(&secrets.seed)?.public_key())))
}

fn pair(seed: &str) -> Option<Ed25519KeyPair> {
    let seed = BASE64_STANDARD.decode(seed).ok()?;
    Ed25519KeyPair::from_seed_unchecked(&seed).ok()
}

/// The value of `webhook-signature`: one signature for each secret and each key pair that is in
/// use. `timestamp` is in seconds since 1970 UTC, `now` in milliseconds.
pub(super) fn signatures(secrets: &EndpointSecrets, id: &str, timestamp: i64, body: &str, now: i64) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    let EndpointSecrets { symmetric, former, seed, former_seeds } = secrets;
    let symmetric = in_use(symmetric, former, now).filter_map(|secret| hmac(secret, &signed));
    let pairs = in_use(seed, former_seeds, now).filter_map(|seed| ed25519(seed, &signed));
    symmetric.chain(pairs).collect::<Vec<_>>().join(" ")
}

fn in_use<'a>(current: &'a str, former: &'a [(String, i64)], now: i64) -> impl Iterator<Item = &'a str> {
    let former = former.iter().filter(move |(_, until)| *until > now).map(|(text, _)| text.as_str());
    std::iter::once(current).chain(former)
}

fn ed25519(seed: &str, signed: &str) -> Option<String> {
    Some(format!("v1a,{}", BASE64_STANDARD.encode(pair(seed)?.sign(signed.as_bytes()))))
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
        let secrets = EndpointSecrets { symmetric: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(), ..generate() };
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
        assert_eq!((count(99), count(100)), (4, 2));
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
