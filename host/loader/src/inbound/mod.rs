//! Calls that a service sends of its own accord, as its provider declares them: whether the service
//! has signed one, and what stands in it. Pure: it knows neither a clock nor a database nor the
//! network.
//!
//! `place` finds a value in a call. `template` builds what was signed, and `signature_check`
//! compares it. `inbox_rules` reads a declaration and does all of it in order.

mod accounts;
mod call_time;
mod inbox_rules;
#[cfg(test)]
mod inbox_rules_tests;
mod place;
mod signature_check;
mod template;
mod unverified;

pub use accounts::Accounts;
pub(crate) use inbox_rules::InboxDiagnostic;
pub use inbox_rules::{ChallengeAnswer, InboundCall, InboxRules};
pub use unverified::Unverified;
