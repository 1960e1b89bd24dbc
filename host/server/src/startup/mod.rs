//! Builds the host from its settings, serves, stops.
//!
//! [`Application`] is the way through: `open` reads the configuration and loads the plugins,
//! `early_server` answers meanwhile, `assemble` builds the services, `background` runs tasks beside
//! the server, `preflight` tries without starting what a start needs of the machine.

mod application;
mod assemble;
mod background;
mod early_server;
mod open;
mod preflight;
mod shutdown;
mod startup_error;
mod stop;

pub use application::{Application, Waiting};
pub use preflight::{check_address, is_running, machine_warnings};
pub use startup_error::StartupError;
pub use stop::Stop;
