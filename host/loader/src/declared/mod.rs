//! Providers that the operator declares in TOML. They need no library: the host answers the
//! questions that a plugin answers, and the rest of the host cannot tell the difference.
//!
//! The operator's table lies over the entry of the [`catalogue`](self::catalogue()) of that name,
//! if there is one. `declaration_reader` reads and checks the whole, and `pending_integration`
//! makes an integration of the service's answers.

mod api_reader;
mod catalogue;
#[cfg(test)]
mod catalogue_tests;
mod declaration;
mod declaration_reader;
mod declared_plugin;
mod display_name;
mod inbox_reader;
#[cfg(test)]
mod inbox_tests;
mod launch;
mod option_table;
mod pending_integration;
mod placeholder;

pub use catalogue::{CatalogueEntry, catalogue, catalogue_entry};
pub use launch::declared_launch_spec;
pub(crate) use launch::entry_name;
