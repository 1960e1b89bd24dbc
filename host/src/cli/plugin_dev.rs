//! `jackfield plugin dev`.

use std::path::Path;

use jackfield_author::dev::{self, DevOptions};
use jackfield_server::telemetry::{Telemetry, TelemetryError};

/// Options of `plugin dev`.
#[derive(Clone, Copy, clap::Args)]
pub(super) struct DevArguments {
    /// Port to serve on; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Show the bodies of requests and answers as they are, secrets included.
    #[arg(long)]
    show_bodies: bool,
}

pub(super) async fn run(DevArguments { port, show_bodies }: DevArguments) -> anyhow::Result<()> {
    dev::run(Path::new("."), DevOptions { port, show_bodies }).await
}

/// People read what happens on the terminal. The host's log is written only if its levels were
/// asked for.
pub(super) fn init_telemetry(mut telemetry: Telemetry, is_asked_for: bool) -> Result<(), TelemetryError> {
    if !is_asked_for {
        telemetry.levels = "off".to_owned();
    }
    jackfield_server::telemetry::init_beside(dev::log_layer(), &telemetry)
}
