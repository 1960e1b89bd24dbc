//! Floor 2: finds, checks, loads and asks provider plugins. Knows neither oauth2 nor session nor accounts.
//!
//! A plugin's way in goes through one gate, `accept`: `find` turns what the operator wrote into a file, `location` opens it where nobody
//! else can have put it, `library_file` reads it once and judges its bytes, `signature` says who vouches for them, `lock` whether they are
//! the accepted ones. None of it has run until then; `load` opens exactly those bytes, `provider` makes an instance of each provider with the operator's options.
//! From then on everything is a question to a [`Provider`]; nothing outside this room can tell how the plugin is run (`port`).

mod accept;
mod conversation;
mod find;
mod key_pair;
mod library_file;
mod load;
mod location;
mod lock;
mod port;
mod provider;
mod redact;
mod refusal;
mod registry;
mod signature;

pub use accept::{Accepted, accepted, lock, proven};
pub use conversation::PluginError;
pub use jackfield_plugin_abi::envelope::{
    Answer, Choice, Dialog, Field, FieldType, Form, Identity, Integration, OAuth2, Request, State, Step, StepKind,
};
pub use key_pair::{KeyError, MadeKeys, Signed, make_keys, sign};
pub use library_file::LibraryFile;
pub use lock::Lock;
pub use provider::{Inspection, PluginInfo, Provider};
pub use refusal::Refusal;
pub use registry::{Plugins, inspect};
