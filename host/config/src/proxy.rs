//! `[proxy]`: the use of integrations through the host.

use std::time::Duration;

use toml::de::DeTable;

use super::{
    document::{Notes, Section},
    value,
};

/// `[proxy]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Largest body that is handed on.
    pub max_request_bytes: u64,
    /// How long nothing may move, neither way, before a call is given up.
    pub idle_timeout: Duration,
    /// How many calls of one organization may be under way.
    pub max_calls: usize,
}

const GIB: u64 = 1 << 30;
/// Each holds two connections, and of its bodies what is on its way.
const CALLS: usize = 256;

impl Proxy {
    pub(super) fn read<'a>(notes: &'a Notes, root: &'a DeTable<'a>) -> Self {
        let mut section = Section::new(notes, "proxy", root);
        let bytes = section.take("max-request-bytes").and_then(|node| value::number(&node, 0, 1024 * GIB));
        let seconds = section.take("idle-timeout").and_then(|node| value::number(&node, 1, 3600)).unwrap_or(60);
        let calls = section.take("max-calls").and_then(|node| value::number(&node, 1, 100_000));
        section.finish();
        Self {
            max_request_bytes: bytes.unwrap_or(GIB),
            idle_timeout: Duration::from_secs(seconds),
            max_calls: calls.and_then(|calls| calls.try_into().ok()).unwrap_or(CALLS),
        }
    }
}
