//! Finds, checks, loads and asks Jackfield provider plugins. It knows neither a database nor pages,
//! so any Rust program can use it.
//!
//! A plugin is a shared library that takes a person through the setup of an integration: what to
//! ask in a form, where to log in, what to keep. This package runs such a library in a sandboxed
//! process and asks it, one step at a time. The program around it draws the pages and keeps what
//! comes out.
//!
//! # In a program of your own
//!
//! Three calls lead to an integration, as `examples/load_one.rs` shows in full:
//!
//! 1. [`worker::init`], first in `main`: the loader starts each plugin's process from the binary
//!    that runs.
//! 2. [`LibraryFile::read`] and [`Plugins::from_library`], which load a library. An operator's
//!    library comes from [`verify_file`] instead: it also checks who can write the file, and who
//!    has signed it.
//! 3. [`Provider::run_view`] for each step of [`Provider::steps`], and
//!    [`Provider::build_integration`].
//!
//! [`Plugins::load`] loads all that a configuration file lists instead, and [`Plugins::reload`]
//! follows the file's changes. [`LaunchSpec`] and [`RunningPlugin`] are for tools that ask a plugin
//! by hand.
//!
//! # How it is built
//!
//! `border` bounds what a plugin may bring. `library` checks a file before any of it runs.
//! `runtime` runs it, in a [`worker`] or in this process, and keeps it running. `declared` answers
//! in the place of a library for a provider that the operator has declared in TOML. `loading` and
//! `registry` do all that for a whole configuration.

mod account_api;
mod answer_check;
mod border;
mod declared;
mod destination;
mod dispute;
mod elf_fault;
mod inbound;
mod json_path;
mod library;
mod loading;
mod provider;
mod provider_id;
mod provider_owner;
mod provider_reach;
mod refusal;
mod refusal_diagnostic;
mod registry;
mod runtime;
mod step_outcome;

pub use answer_check::{check_result, check_state, clean_description, clean_providers, shown_name};
pub use border::{Bounded, LONGEST_MESSAGE, OutOfBounds, Unreadable, links_in, read_reply};
pub use declared::{CatalogueEntry, catalogue, catalogue_entry, declared_launch_spec};
pub use destination::{Destination, destination_of};
pub use dispute::Dispute;
pub use elf_fault::ElfFault;
pub use inbound::{Accounts, ChallengeAnswer, InboundCall, InboxRules, Unverified};
pub use jackfield_config::{Http, ProviderOptions};
pub use jackfield_outbound::{Outbound, OverBudget, RequestBudget};
pub use jackfield_plugin_abi::envelope::{
    AccountApi, Answer, Api, Choice, Delivery, Dialog, Event, EventKind, EventResponse, Field, FieldType, Form, Grant,
    GrantSelector, Identity, Integration, OAuth2, Refreshed, Request, RevokeRequest, Revoked, State, Step, StepKind,
    WebhookIntegration, WebhookRequest, WebhookResponse,
};
pub use library::{LibraryFile, Lock, PluginInfo, WrittenLock, signature_path, verify_entry, verify_file, write_lock};
pub use loading::{LoadProgress, READY_AFTER, StartingPlugin};
pub use provider::Provider;
pub use provider_id::is_good_id;
pub use provider_owner::{ProviderOwner, ProviderOwners};
pub use provider_reach::reach_of;
pub use refusal::Refusal;
pub use registry::{Changes, Joined, Plugins};
pub use runtime::{
    LaunchSpec, MAX_REQUESTS, MOST_LOG_LINES, PLUGIN_LOG_TARGET, PluginError, PluginState, PluginStatus,
    ProviderStatus, RunningPlugin, Tokens, TransportError, worker, worker::Sandbox,
};
pub use step_outcome::StepOutcome;

/// Compiles the program in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
