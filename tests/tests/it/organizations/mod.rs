//! Organizations apart: what one may see and do of what another has, by every route, event and
//! command.

mod matrix;
mod own_grants;
mod right_to_install;
mod secret_fields;
mod settings;
mod two_organizations;
