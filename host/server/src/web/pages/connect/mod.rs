//! The hosted pages of connect sessions, for people without an account here: the directory, the
//! start of a setup, and its end.

mod connect_end;
mod connect_message;
mod connect_policy;
mod connect_refused;
mod connect_status;
mod continued;
mod directory;
mod log_in;
mod start_connected;

pub(in crate::web) use connect_end::{closed, ended};
pub(in crate::web) use connect_message::{code, shown as shown_integration};
pub(in crate::web) use connect_refused::refused;
pub(in crate::web) use connect_status::status;
pub(in crate::web) use continued::go_on;
pub(in crate::web) use directory::open;
pub(in crate::web) use log_in::{begin as begin_log_in, end as end_log_in};
pub(in crate::web) use start_connected::{start, start_again};
