//! What crosses between a host and a plugin library. Plugin authors use `jackfield-plugin` and
//! never this crate.
//!
//! - [`manifest`]: plain bytes in the library file, which a host reads before it runs any code of
//!   the plugin;
//! - [`root`]: the abi_stable root module with its one frozen function, `call(op, bytes) -> bytes`;
//! - [`envelope`]: the JSON that goes through it, the same over a function call and over a socket;
//! - [`readable_json`]: JSON as services send it, for both sides;
//! - `host_pattern` and `account_url`, behind the feature `host-pattern`: which hosts a provider
//!   may reach.
//!
//! # Compatibility
//!
//! [`ABI_MAJOR`] changes only with the frozen function or the layout of the manifest, so never
//! within 1.x. Only the envelopes grow: a new field has a default, an unknown variant is tolerated,
//! and the reply to an unknown op is [`envelope::FaultKind::Unsupported`]. So a plugin built
//! against 1.0 loads in every 1.x host.

/// Compiles the example that the registry shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "host-pattern")]
pub mod account_url;
pub mod envelope;
#[cfg(feature = "host-pattern")]
pub mod host_pattern;
pub mod manifest;
mod readable_json;
pub mod root;

pub use manifest::{ABI_MAJOR, ABI_MINOR};
pub use readable_json::{number_text, readable_json};
