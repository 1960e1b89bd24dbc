//! The limit of open files, and how many connections fit below it.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that the host needs beside connections: database, plugins, sockets, the log.
const OTHERS: u64 = 64;

/// Connections that nobody has asked for another number of. One that waits costs little; one that
/// sends a request head may cost 64 KiB.
const MOST: usize = 16_384;

/// Requests that nobody has asked for another number of: each may have a body in memory.
const MOST_REQUESTS: usize = 4096;

/// Fewer serve nobody.
const FEWEST: usize = 8;

/// Raises the limit of open files as far as this process may: its start is often 1024, which a
/// stranger uses up.
///
/// # Errors
/// When the system refuses.
pub fn raise_file_limit() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// Most connections at once: as many as are `wanted`, if so many files may be open. Each proxied
/// call may have one of its own to the service, so half of the files are left for those, or as many
/// as requests are answered at once.
pub(crate) fn most_connections(wanted: Option<usize>) -> usize {
    let files = getrlimit(Resource::Nofile).current;
    let most = fitting(files, wanted);
    if let Some(wanted) = wanted.filter(|wanted| *wanted > most) {
        tracing::warn!(
            wanted,
            most,
            files,
            "fewer connections fit than system.max-connections: raise the limit of open files (LimitNOFILE, ulimit -n)"
        );
    }
    most
}

/// Most requests at once, on that many connections.
pub(crate) fn most_requests(wanted: Option<usize>, connections: usize) -> usize {
    wanted.unwrap_or_else(|| connections.min(MOST_REQUESTS))
}

fn fitting(files: Option<u64>, wanted: Option<usize>) -> usize {
    let room = |files: u64| {
        let files = usize::try_from(files.saturating_sub(OTHERS)).unwrap_or(usize::MAX);
        (files / 2).max(files.saturating_sub(MOST_REQUESTS)).max(FEWEST)
    };
    wanted.unwrap_or(MOST).min(files.map_or(usize::MAX, room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        for (files, wanted, connections) in [
            (Some(20), None, 8),
            (Some(200), None, 68),
            (Some(1024), None, 480),
            (Some(8000), None, 3968),
            (Some(20_000), None, 15_840),
            (Some(1 << 20), None, 16_384),
            (None, None, 16_384),
            (Some(1024), Some(100), 100),
            (Some(1024), Some(1000), 480),
            (Some(1 << 20), Some(50_000), 50_000),
            (None, Some(1), 1),
        ] {
            assert_eq!(fitting(files, wanted), connections, "{files:?} {wanted:?}");
        }
    }
}
