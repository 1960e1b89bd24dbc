#![doc = include_str!("../GUIDE.md")]

/// Compiles the example that the registry shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod error;
mod export;
mod from_state;
mod glue;
mod host;
mod known_options;
mod lock;
mod options;
mod panics;
mod pipeline;
mod provider;
mod registry;
mod step;

pub use error::{Error, Result};
pub use host::Host;
#[doc(inline)]
pub use jackfield_plugin_abi::envelope::{
    AccountApi, AccountPlace, Answer, Api, ClientAuthentication, Delivery, Dialog, Event, EventKind, EventResponse,
    Field, FieldType, Form, Grant, GrantSelector, HttpRequest, HttpResponse, Identity, Inbox, Integration, OAuth2,
    Refreshed, Request, RevokeRequest, Revoked, Secret, SecretEncoding, SignatureAlgorithm, SignatureEncoding, State,
    TokenRequest, WebhookAnswer, WebhookIntegration, WebhookRequest, WebhookResponse,
};
pub use pipeline::{Pipeline, View};
pub use provider::{NoOptions, Provider};
pub use serde_json::{Value, json};
pub use step::{Step, value};

/// What [`export_providers!`] expands to. Not for authors, and not covered by any promise.
#[doc(hidden)]
pub mod __private {
    pub use jackfield_plugin_abi::{
        manifest::{Manifest, provider_ids, provider_ids_length},
        root::{Exported, LibHeader, header},
    };

    pub use crate::{export::ProviderType, glue::call, registry::Registry};
}
