//! Floor 0: the operator's settings, read from one TOML file and checked before anything starts. Knows nothing of ours but how
//! plugins write down hosts.
//!
//! What the operator wrote (`document`) and what it means ([`Settings`]) are two things; between them every diagnostic is collected, so
//! that all are told at once, each with file, line, key and the help.

mod allow_private;
pub mod clock;
mod database_url;
mod diagnostic;
mod document;
mod features;
mod fingerprint;
mod options;
mod plugins;
mod providers;
mod proxy;
pub mod secret_key;
mod settings;
mod stand_in;
mod tokens;
mod trusted_key;
mod url_prefix;
mod value;

pub use allow_private::AllowPrivate;
pub use database_url::DatabaseUrl;
pub use diagnostic::{Diagnostic, Diagnostics, nearest};
pub use features::Features;
pub use fingerprint::Fingerprint;
pub use jackfield_plugin_abi::host_pattern::HostPattern;
pub use options::ProviderOptions;
pub use plugins::{Isolation, OnFailure, Plugins, Run, SandboxPolicy};
pub use proxy::Proxy;
pub use secret_key::{SecretKey, SecretKeySource, SecretKeys};
pub use settings::{Database, Http, Listed, Settings, System, load, load_lenient};
pub use stand_in::StandIn;
pub use tokens::Tokens;
pub use trusted_key::{KeyId, TrustedKey, TrustedKeys};
pub use url_prefix::UrlPrefix;
pub use value::names_a_secret;
