//! Revokes tokens at their providers once they are out of use.
//!
//! Everything that takes tokens out of use writes a row for them in the same transaction: a
//! removal, a replacement, a setup that failed. [`Revocations`] then asks the provider until it has
//! revoked them: at once where a person waits ([`Revocations::revoke_now`]), and in the background
//! ([`Revocations::run`]). [`BulkRun`] revokes everything of a provider for an operator.
//!
//! Knows nothing of refreshes.

mod answer;
mod ask;
mod attempt;
mod bulk;
mod bulk_plan;
mod bulk_run;
mod known_provider;
mod payload;
mod revocation_audit;
mod revocation_service;
mod unlinked;

pub use answer::{RevocationOutcome, TokenEffect};
pub use bulk::Disposition;
pub use bulk_plan::{BulkPlan, RevocationMethod};
pub use bulk_run::{BulkEvent, BulkResult, BulkRun};
pub use jackfield_store::{
    RevocationId,
    revocations::{Reason, Revocation, Status as RevocationStatus},
};
pub use known_provider::{UnknownProvider, check_provider};
pub use revocation_service::Revocations;
