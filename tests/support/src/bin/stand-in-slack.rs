//! The stand-in Slack as a server of its own, to try a host against by hand.

use std::io::Write;

use clap::Parser;
use jackfield_test_support::{
    stand_in::Rotation,
    stand_in_slack::{Behaviour, Client, Consent, StandInSlack},
};

/// Plays Slack's OAuth endpoints and a few methods on loopback.
///
/// Change its behaviour with `POST /behaviour` and a JSON object, `{"expires-in": 60}` for one. `POST /fault` with
/// `{"endpoint": "refresh", "fault": "lost-response"}` spoils the next request there, `POST /advance-clock` with `{"seconds": 43200}` lets time
/// pass, and `GET /tokens` lists the tokens that were given out.
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
    /// Give out tokens that expire after twelve hours, with refresh tokens that work once.
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
