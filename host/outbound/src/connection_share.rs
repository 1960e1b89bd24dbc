//! Which connection a call shares with others, where the service speaks HTTP/2.
//!
//! A service allows so many streams on one connection. What is sent beyond them waits for others to
//! end, and answers that never end are others': so calls of one organization would keep those of
//! all away from a service. Here a connection takes fewer calls than services allow, and the next
//! ones go to another client, which has connections of its own.

use std::{collections::HashMap, sync::Arc};

use http::uri::Authority;
use parking_lot::Mutex;

/// Most calls on one connection. RFC 9113 section 6.5.2 asks services to allow a hundred streams,
/// and most allow that or 128.
const MOST_CALLS: u16 = 64;

/// The clients of one kind, and how many calls each has under way to which service.
pub(super) struct SharedClients<C> {
    /// Makes one more.
    build: Box<dyn Fn() -> C + Send + Sync>,
    clients: Mutex<Vec<C>>,
    calls: Arc<Mutex<Calls>>,
}

/// For each service, the calls of the first client, of the second, and so on.
type Calls = HashMap<Authority, Vec<u16>>;

/// A call under way. The connection has room for another when this is dropped.
pub(super) struct Share {
    calls: Arc<Mutex<Calls>>,
    service: Authority,
    client: usize,
}

impl<C: Clone> SharedClients<C> {
    pub(super) fn new(build: impl Fn() -> C + Send + Sync + 'static) -> Self {
        Self { build: Box::new(build), clients: Mutex::default(), calls: Arc::default() }
    }

    /// The client for one more call to a service.
    pub(super) fn take(&self, service: &Authority) -> (C, Share) {
        let client = begin(&mut self.calls.lock(), service);
        let share = Share { calls: self.calls.clone(), service: service.clone(), client };
        let mut clients = self.clients.lock();
        while clients.len() <= client {
            clients.push((self.build)());
        }
        (clients[client].clone(), share)
    }
}

/// Counts a call. Results in the first client that has room for it.
fn begin(calls: &mut Calls, service: &Authority) -> usize {
    let calls = calls.entry(service.clone()).or_default();
    let client = calls.iter().position(|calls| *calls < MOST_CALLS).unwrap_or(calls.len());
    match calls.get_mut(client) {
        Some(calls) => *calls += 1,
        None => calls.push(1),
    }
    client
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut all = self.calls.lock();
        let Some(calls) = all.get_mut(&self.service) else { return };
        calls[self.client] -= 1;
        if calls.iter().all(|calls| *calls == 0) {
            all.remove(&self.service);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn calls_beyond_those_of_one_connection_get_another_client() {
        let built = AtomicUsize::new(0);
        let clients = SharedClients::new(move || built.fetch_add(1, Ordering::Relaxed));
        let (service, other) = (Authority::from_static("a.example"), Authority::from_static("b.example"));
        let mut shares: Vec<_> = (0..MOST_CALLS).map(|_| clients.take(&service)).collect();
        assert!(shares.iter().all(|(client, _)| *client == 0));
        let beyond = clients.take(&service);
        assert_eq!((beyond.0, clients.take(&other).0), (1, 0), "each service counts for itself");
        shares.pop();
        assert_eq!(clients.take(&service).0, 0, "one has ended");
        drop((shares, beyond));
        assert!(clients.calls.lock().is_empty(), "nothing is kept of services without calls");
    }
}
