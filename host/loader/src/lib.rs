//! Floor 2: finds, checks, loads and asks provider plugins. Knows neither oauth2 nor session nor accounts.
//!
//! A plugin's way in goes through one gate, `accept`: `find` turns what the operator wrote into a file, `location` opens it where nobody
//! else can have put it, `library_file` reads it once and judges its bytes, `signature` says who vouches for them, `lock` whether they are
//! the accepted ones. None of it has run until then. `sealed_library` keeps exactly those bytes, and a `life` begins: in a `worker` process,
//! or `in_process`. `plugin` keeps it running; `loading` and `registry` do that for everything that is listed.
//! From then on everything is a question to a [`Provider`]; nothing outside this room can tell how the plugin is run (`port`).

mod accept;
mod backoff;
mod check;
mod conversation;
mod declared;
mod error;
mod find;
mod in_process;
mod info;
mod key_pair;
mod lend;
mod library_file;
mod life;
mod load;
mod loading;
mod location;
mod lock;
mod plugin;
mod port;
mod provider;
mod redact;
mod refusal;
mod registry;
mod sealed_library;
mod signature;
mod status;
pub mod worker;

pub use accept::{Accepted, accepted, lock, proven};
pub use check::{Behaviour, Examined, Extent, Finding, Problem, Report, Unmade, check, check_declared};
pub use declared::{Entry, catalogue, entry};
pub use error::PluginError;
pub use info::PluginInfo;
pub use jackfield_plugin_abi::envelope::{
    Answer, Api, Choice, Dialog, Event, EventKind, EventResponse, Field, FieldType, Form, Grant, GrantSelector,
    Identity, Integration, OAuth2, Refreshed, Request, RevokeRequest, Revoked, State, Step, StepKind, WebhookRequest,
    WebhookResponse,
};
pub use key_pair::{KeyError, MadeKeys, Signed, make_keys, sign};
pub use lend::Tokens;
pub use library_file::LibraryFile;
pub use lock::Lock;
pub use port::PortError;
pub use provider::Provider;
pub use refusal::Refusal;
pub use registry::{Changes, Plugins};
pub use status::{PluginStatus, ProviderStatus, State as PluginState};
pub use worker::Sandbox;

/// Whether this can be the id of a provider. Ids stand in URLs and as tables of the configuration file beside the host's own.
#[must_use]
pub fn is_good_id(id: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&id.len()) && id.bytes().all(is_word) && !jackfield_config::Settings::is_section(id)
}
