//! Floor 2: finds, checks, loads and asks provider plugins. Knows neither oauth2 nor session nor accounts.
//!
//! A plugin's way in: `find` turns what the operator wrote into a file, `library_file` reads it once and judges its bytes before
//! any of them runs, `load` opens exactly those bytes, `provider` makes an instance of each provider with the operator's options.
//! From then on everything is a question to a [`Provider`]; nothing outside this room can tell how the plugin is run (`port`).

mod conversation;
mod find;
mod library_file;
mod load;
mod lock;
mod port;
mod provider;
mod redact;
mod refusal;
mod registry;

pub use conversation::PluginError;
pub use jackfield_plugin_abi::envelope::{
    Answer, Choice, Dialog, Field, FieldType, Form, Identity, Integration, OAuth2, Request, State, Step, StepKind,
};
pub use library_file::LibraryFile;
pub use lock::{Lock, LockError};
pub use provider::{Inspection, PluginInfo, Provider};
pub use refusal::Refusal;
pub use registry::{Plugins, inspect, lock};
