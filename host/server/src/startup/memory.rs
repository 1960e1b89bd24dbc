//! Gives memory back to the system that the allocator keeps for itself.
//!
//! The C library keeps what is freed, apart from the end of its heap: after a flood of connections
//! a host would stay as large as it was, for good. It gives everything back when it is asked to.
//! Allocators that do this by themselves need more memory from the start, or a minute of C on a
//! clean build.

#![cfg_attr(target_env = "gnu", allow(unsafe_code, reason = "the C library's own function"))]

use std::time::Duration;

/// How often it is looked.
const INTERVAL: Duration = Duration::from_secs(5);

/// A process of this size has nothing to give that matters.
const SMALL: u64 = 24 << 20;

/// Runs for ever.
pub(super) async fn give_back() {
    loop {
        tokio::time::sleep(INTERVAL).await;
        if own_bytes().is_some_and(|bytes| bytes > SMALL) {
            // It holds the allocator's locks meanwhile: no thread of the runtime is to wait for it.
            let _ = tokio::task::spawn_blocking(trim).await;
        }
    }
}

/// Memory in use that belongs to no file (proc(5), `statm`).
fn own_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    own_pages(&text).map(|pages| pages * rustix::param::page_size() as u64)
}

fn own_pages(statm: &str) -> Option<u64> {
    let mut numbers = statm.split(' ').skip(1).map_while(|number| number.parse::<u64>().ok());
    let (resident, shared) = (numbers.next()?, numbers.next()?);
    resident.checked_sub(shared)
}

#[cfg(target_env = "gnu")]
fn trim() {
    // SAFETY: it takes a number, locks what it looks at, and frees nothing that is in use
    // (malloc_trim(3), "MT-Safe").
    unsafe { libc::malloc_trim(0) };
}

/// Other C libraries give memory back by themselves.
#[cfg(not(target_env = "gnu"))]
fn trim() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_with_files_is_not_the_hosts_own() {
        assert_eq!(own_pages("5000 3000 1000 40 0 1500 0\n"), Some(2000));
        assert_eq!(own_pages("5000 3000"), None);
        assert!(own_bytes().is_some_and(|bytes| bytes > 0));
    }
}
