//! What the command line can say.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};

use crate::load::Until;

/// Measures what Jackfield does in a second, beside what others do with the same work, in one run.
///
/// The servers run on one core; the load generator and the stand-in service on another. Without
/// a part, all parts run: some minutes. The release binary and the plugins
/// are built first, unless --host and --plugins name others.
#[derive(Parser)]
#[command(name = "peers")]
pub(crate) struct Arguments {
    /// What to measure.
    #[arg(value_enum)]
    pub(crate) parts: Vec<Part>,
    /// The host's binary, instead of building it.
    #[arg(long, env = "JACKFIELD_PEERS_HOST", requires = "plugins")]
    pub(crate) host: Option<PathBuf>,
    /// The folder with libslack.so, instead of building it.
    #[arg(long, env = "JACKFIELD_PEERS_PLUGINS", requires = "host")]
    pub(crate) plugins: Option<PathBuf>,
    /// Jackfield alone, without anybody beside it.
    #[arg(long)]
    pub(crate) alone: bool,
    /// How many people set up at once. Several numbers are measured one after the other.
    #[arg(long, default_values_t = [64, 256], value_delimiter = ',')]
    pub(crate) people: Vec<usize>,
    /// How many setups are measured. Without it: those of --seconds.
    #[arg(long)]
    pub(crate) setups: Option<usize>,
    /// How many integrations are in the database for `growth`. 2000000 take some minutes to seed.
    #[arg(long, default_values_t = [1_000, 100_000], value_delimiter = ',')]
    pub(crate) rows: Vec<usize>,
    /// How long each thing is measured.
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    /// Where plugins run: `process` or `in-process`.
    #[arg(long, default_value = "process")]
    pub(crate) isolation: String,
    /// Lines to add to the host's configuration.
    #[arg(long, default_value = "")]
    pub(crate) toml: String,
    /// The core of the servers.
    #[arg(long, default_value_t = 0)]
    pub(crate) server_core: usize,
    /// The core of the load generator and the stand-in service.
    #[arg(long, default_value_t = 1)]
    pub(crate) load_core: usize,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Whole setups of Slack by many people at once.
    Setups,
    /// Small calls through the proxy on 16 connections.
    Proxy,
    /// A GiB through the proxy, down and up.
    Stream,
    /// Reads of a valid token.
    Tokens,
    /// The list of 100 integrations.
    List,
    /// One host and two on a PostgreSQL that answers late.
    Hosts,
    /// The same requests with few integrations in the database and with many; only if it is named.
    Growth,
    /// 10,000 connections that are kept alive.
    Idle,
    /// 256 log-ins at once.
    LogIns,
}

impl Part {
    /// What runs if no part is named.
    const ALL: [Self; 8] =
        [Self::Setups, Self::Proxy, Self::Stream, Self::Tokens, Self::List, Self::Hosts, Self::Idle, Self::LogIns];
}

impl Arguments {
    /// When a measurement ends.
    pub(crate) fn until(&self) -> Until {
        Until::Time(Duration::from_secs(self.seconds))
    }

    /// Whether a part is wanted.
    pub(crate) fn wants(&self, part: Part) -> bool {
        if self.parts.is_empty() { Part::ALL.contains(&part) } else { self.parts.contains(&part) }
    }
}
