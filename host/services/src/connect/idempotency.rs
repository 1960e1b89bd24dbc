//! `Idempotency-Key`: the same request twice makes one session.

use sha2::{Digest, Sha256};

use super::{connect_error::ConnectError, connect_request::ConnectSessionIn};
use jackfield_store::connect_sessions::ConnectMaker;

/// Most characters of a key.
const LONGEST_KEY: usize = 255;

/// A key, and what was asked for with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Idempotency {
    /// SHA-256 of the key and whose it is: two programs never share one.
    pub(super) key: [u8; 32],
    /// SHA-256 of the request.
    pub(super) request: [u8; 32],
}

impl Idempotency {
    /// The key of a program, for a request.
    pub(super) fn new(key: &str, maker: &ConnectMaker, asked: &ConnectSessionIn) -> Result<Self, ConnectError> {
        let is_good = !key.is_empty() && key.len() <= LONGEST_KEY && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_good {
            return Err(ConnectError::invalid(format!(
                "Idempotency-Key has 1 to {LONGEST_KEY} printable characters of ASCII and no blank."
            )));
        }
        let whose = (maker.token, maker.user, key);
        let whose = serde_json::to_vec(&whose).expect("ids and a text are JSON");
        let request = serde_json::to_vec(asked).expect("a request is JSON");
        Ok(Self { key: Sha256::digest(whose).into(), request: Sha256::digest(request).into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_programs_own_and_belongs_to_one_request() {
        let maker = |token: &str| ConnectMaker { token: token.parse().ok(), user: None, name: "crm".to_owned() };
        let asked = |expires_in| ConnectSessionIn { expires_in, ..ConnectSessionIn::default() };
        let of = |key: &str, token: &str, seconds| Idempotency::new(key, &maker(token), &asked(seconds)).ok();
        let first = of("a", "1", None).expect("it is good");
        assert_eq!(of("a", "1", None), Some(first.clone()));
        assert_ne!(of("a", "2", None).map(|other| other.key), Some(first.key));
        assert_ne!(of("b", "1", None).map(|other| other.key), Some(first.key));
        let other = of("a", "1", Some(5)).expect("it is good");
        assert!(other.key == first.key && other.request != first.request);
        for bad in ["", "a b", "ä", "a\n", &"x".repeat(256)] {
            assert_eq!(of(bad, "1", None), None, "{bad:?}");
        }
    }
}
