//! Floor 0: the operator's settings, read from one TOML file and checked before anything starts. Knows nothing of ours.
//!
//! What the operator wrote (`document`) and what it means ([`Settings`]) are two things; between them every mistake is collected, so
//! that all are told at once, each with file, line, key and the mend.

mod allow_private;
mod database_url;
mod document;
mod features;
mod host_pattern;
mod mistake;
mod options;
mod plugins;
mod providers;
pub mod secret_key;
mod settings;
mod trusted_key;
mod url_prefix;
mod value;

pub use allow_private::AllowPrivate;
pub use database_url::DatabaseUrl;
pub use features::Features;
pub use host_pattern::HostPattern;
pub use mistake::{Mistake, Mistakes};
pub use options::ProviderOptions;
pub use plugins::{Isolation, OnFailure, Plugins, Run, SandboxPolicy};
pub use secret_key::{SecretKey, SecretKeySource};
pub use settings::{Database, Http, Listed, Settings, System, load, survey};
pub use trusted_key::{KeyId, TrustedKey, TrustedKeys};
pub use url_prefix::UrlPrefix;
pub use value::names_a_secret;
