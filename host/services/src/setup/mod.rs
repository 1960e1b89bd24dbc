//! Takes a person through a provider's steps and stores the integration. Knows nothing of HTTP.
//!
//! [`SetupService::start`] puts a signed [`Setup`] into the session (`pending`). Each
//! [`SetupService::visit`] waits for its turn (`queue`), claims the setup and checks it (`check`),
//! runs the current step (`step`), and asks the pure `transition` what follows. A setup ends, well
//! or badly, in `finish`. Calls from the service come in by `webhook`.
//!
//! What cannot happen:
//! - A step never runs twice for one claim. Without a claim runs only what computes (`unclaimed`).
//! - An integration is stored in the same transaction that uses up its setup.
//! - A setup never goes on under another user, organization, provider, browser or build of the
//!   plugin.
//! - No token of a setup is forgotten: it is stored, or it is revoked (`unstored_tokens`).

mod active;
mod check;
mod connected;
mod finish;
mod install;
mod pending;
mod permission;
mod plan;
mod queue;
mod rate_limit;
mod redirect_uri;
mod refusal;
mod result;
mod setup_entries;
mod setup_outcome;
mod setup_owner;
mod setup_request;
mod setup_service;
mod signer;
mod start;
mod step;
mod step_log;
mod transition;
mod unclaimed;
mod unstored_tokens;
mod visit;
mod visit_cost;
mod webhook;

pub use active::Setup;
pub use connected::{ConnectStartError, connected_setup, has_setup, start_connected};
pub use permission::FEATURE;
pub use refusal::Refusal;
pub use result::{Channel, ConnectReturn, SetupResult};
pub use setup_outcome::{INTERNAL_ERROR, Outcome, Page, Progress};
pub use setup_owner::SetupOwner;
pub use setup_request::{Requester, STEP_FIELD, Sender, SetupRequest};
pub use setup_service::{SetupDependencies, SetupService};
pub use start::{Start, StartError};
pub use visit_cost::{MAX_VISIT_REQUESTS, MAX_VISIT_STEPS};
pub use webhook::WebhookOutcome;

pub(crate) use signer::webhook_key_hash;
