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
    /// Most connections of the host's pool; `None`: as many as fit the machine.
    pub pool_size: Option<u32>,
    /// A statement of a request that takes longer is ended by PostgreSQL; `None`: none is.
    pub statement_timeout: Option<Duration>,
    /// What PostgreSQL calls this host in `pg_stat_activity`.
    pub application_name: String,
    /// Whether statements are prepared by name; `None`: unless a pooler stands in between.
    pub prepared_statements: Option<bool>,
}

/// The key of the URL.
const URL: &str = "database.url";

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
            pool_size: None,
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
            pool_size: size.and_then(|size| size.try_into().ok()),
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> (Database, Vec<String>) {
        let collector = DiagnosticCollector::new(Path::new("f"), text);
        let (root, _) = DeTable::parse_recoverable(text);
        let database = Database::read(&collector, root.get_ref());
        (database, collector.into_both().0.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn settings_of_postgresql_are_read_and_have_defaults() {
        let (database, mistakes) = read("");
        assert!(mistakes.is_empty());
        let Database { pool_size, statement_timeout, application_name, prepared_statements, .. } = database;
        assert_eq!((pool_size, statement_timeout, prepared_statements), (None, None, None));
        assert_eq!(application_name, "jackfield");
        let text = "[database]\nurl = \"postgres://db/jf\"\npool-size = 2\nstatement-timeout = 30\n\
                    application-name = \"Jackfield of acme\"\nprepared-statements = false\n";
        let (database, mistakes) = read(text);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let Database { pool_size, statement_timeout, application_name, prepared_statements, .. } = database;
        assert_eq!((pool_size, statement_timeout), (Some(2), Some(Duration::from_secs(30))));
        assert_eq!((application_name.as_str(), prepared_statements), ("Jackfield of acme", Some(false)));
    }

    #[test]
    fn settings_that_postgresql_would_not_take_are_told() {
        let text =
            "[database]\npool-size = 0\nstatement-timeout = 4000\napplication-name = \"é\"\nprepared-statements = 1\n";
        let (_, mistakes) = read(text);
        assert_eq!(
            mistakes,
            [
                "f:2: database.pool-size: out of range\n  help: write a number from 1 to 1000",
                "f:3: database.statement-timeout: out of range\n  help: write a number from 0 to 3600",
                "f:4: database.application-name: PostgreSQL does not show it as it is\n  help: write 1 to 63 printable ASCII characters",
                "f:5: database.prepared-statements: wrong type: found a whole number, wanted true or false\n  help: write true or false",
            ]
        );
    }
}
