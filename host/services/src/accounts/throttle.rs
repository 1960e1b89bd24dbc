//! Slows down those who guess passwords, and nobody else. In memory: each host counts for itself.
//!
//! | whose attempts | at once | then |
//! |---|---|---|
//! | a client's, on one account | 5 | a pause that doubles up to a minute |
//! | a client's, on all accounts | 60 | one in twenty seconds |
//! | everybody's, on one account | 20; 50 of clients that try it first | one in ten seconds |
//! | a known device's, on its account | 5 | a pause that doubles up to a minute |
//!
//! A known device passes the first three. So a stranger, however many addresses they have, keeps
//! nobody out of a browser that they have logged in with before. One stranger alone never uses up
//! what everybody has on one account: after their first few, they have one a minute.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use parking_lot::Mutex;
use time::OffsetDateTime;

use super::{
    counters::{Counter, CounterKey, Counters, KeyMaker},
    devices::DeviceId,
};
use jackfield_config::clock::Clock;
use jackfield_limits::{Backoff, BucketPolicy, FailurePolicy};

/// A few failures are free, since people mistype. The longest pause is a minute.
const PERSISTENT: FailurePolicy = FailurePolicy {
    free: 4,
    backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(60)),
    forgotten_after: MEMORY,
};
const MEMORY: Duration = Duration::from_secs(15 * 60);

const CLIENT: BucketPolicy = BucketPolicy { size: 60, leak: Duration::from_secs(20) };
const ACCOUNT: BucketPolicy = BucketPolicy { size: 20, leak: Duration::from_secs(10) };
const ACCOUNT_FIRST: BucketPolicy = BucketPolicy { size: 50, ..ACCOUNT };

/// Most counters of a kind. One takes some sixty bytes, so all of them take less than three MiB.
const CAPACITY: usize = 10_000;

type Failures = jackfield_limits::Failures<OffsetDateTime>;
type Bucket = jackfield_limits::LeakyBucket<OffsetDateTime>;

impl Counter for Failures {
    fn matters_until(&self) -> Option<OffsetDateTime> {
        self.last()
    }
}

impl Counter for Bucket {
    fn matters_until(&self) -> Option<OffsetDateTime> {
        self.empty_at()
    }
}

/// Counts attempts.
pub(super) struct Throttle {
    clock: Clock,
    keys: KeyMaker,
    counters: Mutex<AllCounters>,
}

struct AllCounters {
    pairs: Counters<Failures>,
    devices: Counters<Failures>,
    clients: Counters<Bucket>,
    accounts: Counters<Bucket>,
}

/// An attempt that was allowed. It counts as failed until it is said otherwise, so that of many at
/// the same time only a few are allowed.
#[derive(Debug)]
pub(super) enum Attempt {
    Device(CounterKey),
    Stranger { pair: CounterKey, client: CounterKey, account: CounterKey },
}

impl Throttle {
    pub(super) fn new(clock: Clock) -> Self {
        let counters = AllCounters {
            pairs: Counters::new(CAPACITY),
            devices: Counters::new(CAPACITY),
            clients: Counters::new(CAPACITY),
            accounts: Counters::new(CAPACITY),
        };
        Self { clock, keys: KeyMaker::new(), counters: Mutex::new(counters) }
    }

    /// Allows an attempt of a known device, or says how long it has to wait.
    pub(super) fn device(&self, device: DeviceId) -> Result<Attempt, Duration> {
        let (key, now) = (self.keys.key(&[b"device", &device]), self.clock.now());
        let counters = &mut self.counters.lock().devices;
        let failures = counters.entry(key);
        allowed(failures.wait(PERSISTENT, now))?;
        failures.record(PERSISTENT, now);
        Ok(Attempt::Device(key))
    }

    /// Allows an attempt of anybody else, or says how long this client has to wait.
    pub(super) fn stranger(&self, client: IpAddr, email: &str) -> Result<Attempt, Duration> {
        let (network, now) = (network(client).octets(), self.clock.now());
        let pair = self.keys.key(&[b"pair", &network, email.as_bytes()]);
        let (client, account) = (self.keys.key(&[b"client", &network]), self.keys.key(&[b"account", email.as_bytes()]));
        let mut counters = self.counters.lock();
        allowed(counters.wait(&pair, &client, &account, now))?;
        counters.pairs.entry(pair).record(PERSISTENT, now);
        counters.clients.entry(client).fill(CLIENT, now);
        counters.accounts.entry(account).fill(ACCOUNT, now);
        Ok(Attempt::Stranger { pair, client, account })
    }

    /// The password was right. What others have failed at stays counted.
    pub(super) fn succeeded(&self, attempt: &Attempt) {
        let mut counters = self.counters.lock();
        match attempt {
            Attempt::Device(device) => counters.devices.remove(device),
            Attempt::Stranger { pair, .. } => {
                counters.pairs.remove(pair);
                counters.give_back(attempt);
            }
        }
    }

    /// The password was not looked at.
    pub(super) fn withdrawn(&self, attempt: &Attempt) {
        let mut counters = self.counters.lock();
        match attempt {
            Attempt::Device(device) => forgive(counters.devices.get_mut(device)),
            Attempt::Stranger { pair, .. } => {
                forgive(counters.pairs.get_mut(pair));
                counters.give_back(attempt);
            }
        }
    }
}

impl AllCounters {
    fn wait(&self, pair: &CounterKey, client: &CounterKey, account: &CounterKey, now: OffsetDateTime) -> Duration {
        let tried = self.pairs.get(pair);
        let account_policy = if tried.is_some() { ACCOUNT } else { ACCOUNT_FIRST };
        let waits = [
            tried.map(|failures| failures.wait(PERSISTENT, now)),
            self.clients.get(client).map(|bucket| bucket.wait(CLIENT, now)),
            self.accounts.get(account).map(|bucket| bucket.wait(account_policy, now)),
        ];
        waits.into_iter().flatten().max().unwrap_or_default()
    }

    fn give_back(&mut self, attempt: &Attempt) {
        let Attempt::Stranger { client, account, .. } = attempt else { return };
        if let Some(bucket) = self.clients.get_mut(client) {
            bucket.take(CLIENT);
        }
        if let Some(bucket) = self.accounts.get_mut(account) {
            bucket.take(ACCOUNT);
        }
    }
}

fn forgive(failures: Option<&mut Failures>) {
    if let Some(failures) = failures {
        failures.forgive();
    }
}

fn allowed(wait: Duration) -> Result<(), Duration> {
    if wait.is_zero() { Ok(()) } else { Err(wait) }
}

/// Whom an address belongs to: with IPv6, everybody has a whole /64 (RFC 6177).
fn network(address: IpAddr) -> Ipv6Addr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64),
    }
}

#[cfg(test)]
#[path = "throttle_tests.rs"]
mod tests;
