//! The JSON API, `/api/0/…`.

mod api_tokens;
mod audit;
mod cursor;
mod grants;
mod integrations;
mod providers;
mod proxy;
mod query;
mod revocations;
mod selector;
mod token;

pub(in crate::web) use api_tokens::{create_token, revoke_token, tokens};
pub(in crate::web) use audit::audit;
pub(in crate::web) use cursor::{Cursor, PER_PAGE};
pub(in crate::web) use grants::grants;
pub(in crate::web) use integrations::{get, list, remove, search_parameter};
pub(in crate::web) use providers::providers;
pub(in crate::web) use proxy::proxy;
pub(in crate::web) use revocations::{RevocationOut, revocations};
pub(in crate::web) use token::token;
