//! The stand-in Slack as a server of its own, to try a host against by hand.

use std::io::Write;

use clap::Parser;
use jackfield_tests::stand_in_slack::{Behaviour, Client, Consent, StandInSlack};

/// Plays Slack's OAuth endpoints on loopback. Change its behaviour with `POST /behaviour` and a JSON object.
#[derive(Parser)]
struct Arguments {
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The client that may install.
    #[arg(long, default_value = "1111.2222")]
    client_id: String,
    /// Its secret.
    #[arg(long, default_value = "stand-in-secret")]
    client_secret: String,
    /// Redirect at once instead of asking a person.
    #[arg(long)]
    straight: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let consent = if arguments.straight { Consent::Allow } else { Consent::Ask };
    let client = Client { id: arguments.client_id, secret: arguments.client_secret };
    let slack = StandInSlack::start_on(arguments.port, client, Behaviour { consent, ..Behaviour::default() }).await?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on {}", slack.url(""))?;
    out.flush()?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}
