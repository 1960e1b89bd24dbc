//! The small hidden floor below `jackfield-plugin`: what crosses between a host and a plugin library.
//!
//! Plugin authors use `jackfield-plugin`, never this crate. Three things stand here, and nothing else may know them:
//!
//! - [`manifest`]: plain bytes in the library file, readable before a single instruction of the plugin runs;
//! - [`root`]: the abi_stable root module with its one frozen function, `call(op, bytes) -> bytes`;
//! - [`envelope`]: the JSON that goes through it, the same over a function call and over a socket.
//!
//! and, behind the feature `reach`, the rule of which hosts a provider may talk to.
//!
//! # Compatibility
//!
//! [`ABI_MAJOR`] changes only when the frozen function or the manifest layout changes, which means: never within 1.x. All growth
//! happens in envelopes: a new field has a default, an unknown variant is tolerated, an unknown op is answered with
//! [`envelope::FaultKind::Unsupported`]. So a plugin built against 1.0 loads in every 1.x host.

/// Compiles the example that the registry shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod envelope;
pub mod manifest;
#[cfg(feature = "reach")]
pub mod reach;
pub mod root;

/// The only part of the version a host refuses by: the shape of the frozen function and of the manifest.
pub const ABI_MAJOR: u32 = 1;

/// Counts the additions to the envelopes within one major. EventResponse to operators, never a reason to refuse.
pub const ABI_MINOR: u32 = 0;
