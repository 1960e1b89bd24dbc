//! The operator's settings, read from one TOML file and checked before anything starts.
//!
//! What the operator wrote (`config_value`) and what it means ([`Settings`]) are two things.
//! Between them all diagnostics are collected and reported together, each with file, line, key and
//! help.
//!
//! Of the other packages it knows only how plugins write hosts.

mod account;
mod allow_private;
mod audit;
pub mod clock;
mod config_value;
mod connect;
mod database;
mod database_url;
mod diagnostic;
mod diagnostic_collector;
mod endpoints;
mod features;
mod file_rights;
mod fingerprint;
mod inbox;
mod literal_secrets;
mod misplaced;
mod networks;
mod options;
mod percent;
mod plugins;
mod postgres_url;
mod providers;
mod proxy;
mod read_value;
mod reference;
mod secret_key;
mod secret_key_lines;
mod secret_key_source;
mod secret_text;
mod sections;
mod setting_place;
mod settings;
mod settings_file;
pub mod span;
mod sqlite_path;
mod stand_in_url;
mod table_reader;
pub mod text;
pub mod text_file;
mod tokens;
mod toml_error;
mod trusted_key;
mod trusted_proxies;
mod url_prefix;
mod url_text;
pub mod writable;

pub use allow_private::AllowPrivate;
pub use audit::Audit;
pub use connect::ConnectIssuer;
pub use database::Database;
pub use database_url::DatabaseUrl;
pub use diagnostic::{Diagnostic, Diagnostics, nearest};
pub use endpoints::{ConfiguredEndpoint, EVENT_TYPES};
pub use features::Features;
pub use fingerprint::Fingerprint;
pub use inbox::Inbox;
pub use jackfield_plugin_abi::host_pattern::HostPattern;
pub use misplaced::place_of;
pub use options::ProviderOptions;
pub use plugins::{Isolation, OnFailure, PluginSettings, Plugins, SandboxPolicy};
pub use postgres_url::PostgresUrl;
pub use proxy::Proxy;
pub use read_value::names_a_secret;
pub use secret_key::{SecretKey, SecretKeys};
pub use secret_key_source::SecretKeySource;
pub use setting_place::SettingPlace;
pub use settings::{Http, ListedPlugin, Settings, System};
pub use settings_file::{load, load_lenient};
pub use stand_in_url::StandInUrl;
pub use tokens::Tokens;
pub use trusted_key::{MinisignKeyId, TrustedKey, TrustedKeys};
pub use trusted_proxies::TrustedProxies;
pub use url_prefix::UrlPrefix;
pub use url_text::without_user;
