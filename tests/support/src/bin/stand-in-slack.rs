//! The stand-in Slack as a program, to try a host by hand.

use std::io::Write;

use clap::Parser;
use jackfield_test_support::{
    stand_in::Rotation,
    stand_in_slack::{Behaviour, Client, Consent, StandInSlack},
};

/// Plays Slack's OAuth endpoints and a few methods on loopback.
///
/// Change its behaviour with `POST /behaviour` and a JSON object such as `{"expires-in": 60}`.
/// `POST /fault` with `{"endpoint": "refresh", "fault": "lost-response"}` spoils the next request
/// there, `POST /advance-clock` with `{"seconds": 43200}` lets time pass, and `GET /tokens` lists
/// the issued tokens.
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
    /// Redirect at once instead of asking the user.
    #[arg(long)]
    straight: bool,
    /// Issue tokens that expire after twelve hours, with refresh tokens that work once.
    #[arg(long)]
    rotate: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let consent = if arguments.straight { Consent::Allow } else { Consent::Ask };
    let client = Client { id: arguments.client_id, secret: arguments.client_secret, ..Client::default() };
    let rotation = if arguments.rotate { Rotation::SingleUse } else { Rotation::Off };
    let behaviour = Behaviour { consent, rotation, ..Behaviour::default() };
    let slack = StandInSlack::start_on(arguments.port, client, behaviour).await?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on {}", slack.url(""))?;
    out.flush()?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}
