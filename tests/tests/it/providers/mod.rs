//! One provider each, from its configuration to what is stored. What holds for every setup belongs
//! in `setup`.

mod account_api;
mod declarations;
pub(crate) mod declared;
mod example;
mod github_app;
pub(crate) mod gitlab;
pub(crate) mod issuer;
mod issuer_documents;
mod oauth2;
pub(crate) mod service_app;
mod service_refreshes;
mod slack;
mod strange_answers;
mod two_servers;
pub(crate) mod webhook;
