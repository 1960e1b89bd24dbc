//! Browsers that somebody has logged in with before.
//!
//! After a log-in the browser keeps a cookie that only a host of this installation can have made.
//! It opens nothing. It lets the browser pass the limits that a stranger's wrong passwords use up.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use time::OffsetDateTime;

use jackfield_config::{SecretKey, SecretKeys, clock::Clock};

/// How long a browser is known after its last log-in.
const LIFETIME: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// Most accounts of one browser.
const ACCOUNTS: usize = 4;

const ID: usize = 16;
const TIME: usize = 8;
const MAC: usize = 32;

/// A browser, for one account.
pub(super) type DeviceId = [u8; ID];

/// Makes and reads the cookies. Each is a list of entries, one for each account: a random id, the
/// time of the last log-in, and a MAC over both and the account's e-mail address.
#[derive(Clone)]
pub(super) struct Devices {
    keys: SecretKeys,
    clock: Clock,
}

impl Devices {
    pub(super) const fn new(keys: SecretKeys, clock: Clock) -> Self {
        Self { keys, clock }
    }

    /// The browser, if it has logged in to this account before.
    pub(super) fn known(&self, cookie: &str, email: &str) -> Option<DeviceId> {
        let keys = self.keys.all();
        entries(cookie).find_map(|entry| {
            let (id, logged_in, mac) = parts(&entry)?;
            let is_ours = keys.iter().any(|key| self.mac(key, &id, logged_in, email).verify_slice(mac).is_ok());
            (is_ours && self.is_recent(logged_in)).then_some(id)
        })
    }

    /// The cookie after a log-in to this account.
    pub(super) fn remember(&self, cookie: &str, email: &str) -> String {
        let known = self.known(cookie, email);
        let id = known.unwrap_or_else(random_id);
        let now = self.clock.now().unix_timestamp();
        let mac = self.mac(&self.keys.oldest(), &id, now, email).finalize().into_bytes();
        let entry = [&id[..], &now.to_be_bytes(), &mac].concat();
        let others = entries(cookie).filter(|other| known.is_none_or(|known| !other.starts_with(&known)));
        let all = std::iter::once(entry).chain(others).take(ACCOUNTS);
        all.map(|entry| BASE64_URL_SAFE_NO_PAD.encode(entry)).collect::<Vec<_>>().join(".")
    }

    fn mac(&self, key: &SecretKey, id: &DeviceId, logged_in: i64, email: &str) -> Hmac<Sha256> {
        let key = key.derive("known devices");
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&*key).expect("HMAC takes a key of any length");
        mac.chain_update(id).chain_update(logged_in.to_be_bytes()).chain_update(email)
    }

    fn is_recent(&self, logged_in: i64) -> bool {
        OffsetDateTime::from_unix_timestamp(logged_in).is_ok_and(|at| self.clock.now() < at + LIFETIME)
    }
}

/// What has the shape of an entry.
fn entries(cookie: &str) -> impl Iterator<Item = Vec<u8>> {
    let decoded = cookie.split('.').take(ACCOUNTS).filter_map(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
    decoded.filter(|entry| entry.len() == ID + TIME + MAC)
}

fn parts(entry: &[u8]) -> Option<(DeviceId, i64, &[u8])> {
    let (id, rest) = entry.split_first_chunk()?;
    let (time, mac) = rest.split_first_chunk()?;
    Some((*id, i64::from_be_bytes(*time), mac))
}

fn random_id() -> DeviceId {
    let mut id = [0; ID];
    getrandom::fill(&mut id).expect("the operating system has a random generator");
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices(key: &str) -> (Devices, Clock) {
        let clock = Clock::fixed(OffsetDateTime::UNIX_EPOCH);
        (Devices::new(SecretKeys::new([key]), clock.clone()), clock)
    }

    #[test]
    fn a_browser_is_known_to_the_accounts_it_has_logged_in_to() {
        let (devices, clock) = devices("one key");
        let cookie = devices.remember("", "ada@example.com");
        let ada = devices.known(&cookie, "ada@example.com").expect("she was here");
        assert_eq!(devices.known(&cookie, "bob@example.com"), None);
        let cookie = devices.remember(&cookie, "bob@example.com");
        assert_eq!(devices.known(&cookie, "ada@example.com"), Some(ada), "both share the browser");
        assert!(devices.known(&cookie, "bob@example.com").is_some_and(|bob| bob != ada));
        let again = devices.remember(&cookie, "ada@example.com");
        assert_eq!((devices.known(&again, "ada@example.com"), again.split('.').count()), (Some(ada), 2));
        clock.advance(time::Duration::days(181));
        assert_eq!(devices.known(&again, "ada@example.com"), None, "it was too long ago");
    }

    #[test]
    fn nobody_else_makes_one() {
        let (devices, _) = devices("one key");
        let cookie = devices.remember("", "ada@example.com");
        assert_eq!(self::devices("another key").0.known(&cookie, "ada@example.com"), None);
        for forged in ["", ".", "AAAA", &format!("A{}", &cookie[1..]), &cookie[..cookie.len() - 1]] {
            assert_eq!(devices.known(forged, "ada@example.com"), None, "{forged}");
        }
        let many = vec![cookie.as_str(); 100].join(".");
        assert!(devices.remember(&many, "bob@example.com").len() < 400, "it does not grow");
    }
}
