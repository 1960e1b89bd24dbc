//! Password hashes: argon2id with the crate's defaults (RFC 9106). They are slow on purpose and
//! take nineteen MiB each, so [`PasswordQueue`] computes them.

use std::sync::LazyLock;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    hash_memory::Memory,
    password_queue::{Busy, PasswordQueue, Urgency},
};

/// Longest password that is looked at, in bytes.
pub(super) const LONGEST_PASSWORD: usize = 1024;

const HASH_BYTES: usize = 32;

/// Checked for an unknown user, so that the answer takes as long as for a wrong password.
static UNKNOWN_USER: LazyLock<String> = LazyLock::new(|| hash_now("nobody's password", &mut Memory::default()));

fn hash_now(password: &str, memory: &mut Memory) -> String {
    let (mut salt, mut out) = ([0; Salt::RECOMMENDED_LENGTH], [0; HASH_BYTES]);
    getrandom::fill(&mut salt).expect("the operating system has a random generator");
    let argon2 = Argon2::default();
    memory.hash(&argon2, password.as_bytes(), &salt, &mut out).expect("argon2 hashes any password with its defaults");
    let hash = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(argon2.params()).expect("the defaults can be written"),
        salt: Some(Salt::new(&salt).expect("a salt of the recommended length")),
        hash: Some(Output::new(&out).expect("a hash of the usual length")),
    };
    hash.to_string()
}

/// Whether a password belongs to a hash. `None` if the hash is of another kind.
fn matches(password: &str, hash: &str, memory: &mut Memory) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let version = hash.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(&hash).ok()?);
    let (salt, expected) = (hash.salt?, hash.hash?);
    let mut out = vec![0; expected.len()];
    memory.hash(&argon2, password.as_bytes(), salt.as_ref(), &mut out).ok()?;
    // `Output` compares in constant time.
    Some(Output::new(&out).ok()? == expected)
}

/// The PHC string of a password's hash.
pub(super) async fn hash(queue: &PasswordQueue, password: SecretString) -> Result<String, Busy> {
    queue.run(Urgency::Known, move |memory| hash_now(password.expose_secret(), memory)).await
}

/// Whether a password belongs to a hash. Without a hash it does not, which takes as long.
pub(super) async fn is_right(
    queue: &PasswordQueue,
    urgency: Urgency,
    password: SecretString,
    hash: Option<String>,
) -> Result<bool, Busy> {
    let check = move |memory: &mut Memory| {
        let text = hash.as_deref().unwrap_or(UNKNOWN_USER.as_str());
        matches(password.expose_secret(), text, memory) == Some(true) && hash.is_some()
    };
    queue.run(urgency, check).await
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher, PasswordVerifier};

    use super::*;

    #[test]
    fn a_hash_is_what_the_crate_makes_and_reads_itself() {
        let memory = &mut Memory::default();
        let ours = hash_now("correct horse", memory);
        assert!(ours.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{ours}");
        Argon2::default().verify_password(b"correct horse", ours.as_str()).expect("the crate reads it");
        let theirs: PasswordHash = Argon2::default().hash_password(b"correct horse").expect("a hash");
        for hash in [ours, theirs.to_string()] {
            assert_eq!(matches("correct horse", &hash, memory), Some(true));
            assert_eq!(matches("battery staple", &hash, memory), Some(false));
        }
        assert_eq!(matches("correct horse", "$2b$12$abc", memory), None);
    }

    #[test]
    fn a_hash_with_other_parameters_is_read_too() {
        let params = Params::new(8192, 1, 1, Some(16)).expect("parameters");
        let hash: PasswordHash = Argon2::from(params).hash_password(b"p").expect("a hash");
        assert_eq!(matches("p", &hash.to_string(), &mut Memory::default()), Some(true));
    }
}
