//! `[tokens]`: how the tokens of integrations are kept fresh.

use std::time::Duration;

use toml::de::DeTable;

use super::{
    document::{Notes, Section},
    value,
};

/// `[tokens]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// After how long a grant that nobody uses is refreshed, so that it does not lapse; `None`: never.
    pub keep_alive: Option<Duration>,
}

const DAY: u64 = 24 * 3600;

impl Tokens {
    pub(super) fn read<'a>(notes: &'a Notes, root: &'a DeTable<'a>) -> Self {
        let mut section = Section::new(notes, "tokens", root);
        let days = section.take("keep-alive-days").and_then(|node| value::number(&node, 0, 365)).unwrap_or(7);
        section.finish();
        Self { keep_alive: (days > 0).then(|| Duration::from_secs(days * DAY)) }
    }
}
