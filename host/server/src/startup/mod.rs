//! Builds the host from its settings, serves, stops.
//!
//! [`Application`] is the way through: `open` reads the configuration and loads the plugins,
//! `early_server` answers meanwhile, `assemble` builds the services, `background` runs tasks beside
//! the server.

mod application;
mod assemble;
mod background;
mod early_server;
mod open;
mod shutdown;
mod startup_error;
mod stop;

pub use application::{Application, Waiting};
pub use startup_error::StartupError;
pub use stop::Stop;
