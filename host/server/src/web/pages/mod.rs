//! The pages that people see in a browser.

pub(super) mod account;
pub(super) mod assets;
pub(super) mod audit_log;
mod audit_row;
pub(super) mod connect;
pub(super) mod connect_links;
pub(super) mod connect_script;
pub(super) mod endpoint_detail;
pub(super) mod endpoint_list;
pub(super) mod error_page;
mod flash;
mod form_fields;
mod grant_row;
pub(super) mod icons;
pub(super) mod integration_detail;
pub(super) mod integration_list;
mod layout;
pub(super) mod login;
pub(super) mod organization_settings;
mod script_text;
pub(super) mod setup;
pub(super) mod setup_errors;

pub use setup::RedirectTarget;
