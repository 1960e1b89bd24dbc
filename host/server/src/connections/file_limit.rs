//! The limit of open files, and how many connections fit below it.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that the host needs beside connections: database, plugins, sockets, the log.
const OTHERS: u64 = 64;

/// More need more memory than a host of that size has to spare: each may hold a request head.
const MOST: u64 = 4096;

/// Raises the limit of open files as far as this process may: its start is often 1024, which a
/// stranger uses up.
///
/// # Errors
/// When the system refuses.
pub fn raise_file_limit() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// Most connections at once. Each proxied call has one of its own to the service, so half of the
/// files are left for those.
pub(super) fn most_connections() -> usize {
    fitting(getrlimit(Resource::Nofile).current)
}

fn fitting(files: Option<u64>) -> usize {
    let most = files.map_or(MOST, |files| (files.saturating_sub(OTHERS) / 2).clamp(8, MOST));
    usize::try_from(most).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        for (files, connections) in
            [(Some(20), 8), (Some(200), 68), (Some(1024), 480), (Some(1 << 20), 4096), (None, 4096)]
        {
            assert_eq!(fitting(files), connections);
        }
    }
}
