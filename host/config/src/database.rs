//! `[database]`: where the database is, and how PostgreSQL is used.

use std::{str::FromStr, time::Duration};

use toml::de::DeTable;

use super::{
    config_value::ConfigValue, database_url::DatabaseUrl, diagnostic_collector::DiagnosticCollector,
    setting_place::SettingPlace, table_reader::TableReader,
};

/// `[database]`.
#[derive(Clone, Debug)]
pub struct Database {
    /// Where the database is.
    pub url: DatabaseUrl,
    /// Where the file says so.
    pub place: SettingPlace,
    /// Most connections of the host's pool.
    pub pool_size: u32,
    /// A statement of a request that takes longer is ended by PostgreSQL; `None`: none is.
    pub statement_timeout: Option<Duration>,
    /// What PostgreSQL calls this host in `pg_stat_activity`.
    pub application_name: String,
    /// Whether statements are prepared by name; `None`: unless a pooler stands in between.
    pub prepared_statements: Option<bool>,
}

/// The key of the URL.
const URL: &str = "database.url";

/// As many connections as a host on two cores keeps busy.
const DEFAULT_POOL_SIZE: u32 = 8;

const DEFAULT_APPLICATION_NAME: &str = "jackfield";

/// PostgreSQL cuts longer names off.
const LONGEST_APPLICATION_NAME: usize = 63;

impl Database {
    /// A database at a URL, with the defaults of all else.
    #[must_use]
    pub fn at(url: DatabaseUrl) -> Self {
        Self {
            url,
            place: SettingPlace::unwritten(URL),
            pool_size: DEFAULT_POOL_SIZE,
            statement_timeout: None,
            application_name: DEFAULT_APPLICATION_NAME.to_owned(),
            prepared_statements: None,
        }
    }

    pub(super) fn read<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) -> Self {
        let mut section = TableReader::section(collector, "database", root);
        let url = section.take("url");
        let place = SettingPlace::of(URL, collector, url.as_ref());
        let url = url.and_then(|value| value.parsed());
        let size = section.take("pool-size").and_then(|value| value.number(1, 1000));
        let seconds = section.take("statement-timeout").and_then(|value| value.number(0, 3600)).unwrap_or(0);
        let name = section.take("application-name").and_then(|value| application_name(&value));
        let prepared = section.take("prepared-statements").and_then(|value| yes_or_no(&value));
        section.finish();
        let default = Self::default();
        Self {
            place,
            url: url.unwrap_or(default.url),
            pool_size: size.and_then(|size| size.try_into().ok()).unwrap_or(default.pool_size),
            statement_timeout: (seconds > 0).then(|| Duration::from_secs(seconds)),
            application_name: name.unwrap_or(default.application_name),
            prepared_statements: prepared,
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self::at(DatabaseUrl::default())
    }
}

impl FromStr for Database {
    type Err = (String, String);

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        url.parse().map(Self::at)
    }
}

fn application_name(value: &ConfigValue<'_>) -> Option<String> {
    let name = value.text()?;
    let is_short = (1..=LONGEST_APPLICATION_NAME).contains(&name.len());
    let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if !is_short || !is_plain {
        value.report("PostgreSQL does not show it as it is", "write 1 to 63 printable ASCII characters");
        return None;
    }
    Some(name)
}

fn yes_or_no(value: &ConfigValue<'_>) -> Option<bool> {
    let found = value.value.as_bool();
    if found.is_none() {
        value.report_wrong_type("true or false");
    }
    found
}
