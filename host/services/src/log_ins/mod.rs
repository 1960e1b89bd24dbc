//! Who logs in and out, and who tries to, in the audit log. These entries belong to no
//! organization: a user is the host's.

mod log_in_audit;
mod row_budget;

pub use log_in_audit::LogInAudit;
