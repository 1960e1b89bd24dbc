//! `cargo demo`: a host with both plugins, a stand-in Slack, a user and an organization, ready to
//! click through.

use std::{io::Write, net::TcpListener, process::ExitCode, sync::Arc};

use anyhow::Context;
use jackfield_loader::worker::COMMAND as WORKER;
use jackfield_test_support::{
    host::{Host, HostBuilder, Program},
    stand_in::Rotation,
    stand_in_slack::{Behaviour, Client, StandInSlack},
};
use tokio::signal::unix::{SignalKind, signal};

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "analytical engine";
const ORGANIZATION: &str = "analytical-engines";

/// The first word that makes this program be the host: so the demo needs no second binary.
const HOST: &str = "host";

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let program = words.next();
    match words.next() {
        Some(word) if word == HOST => jackfield::main_from(program.into_iter().chain(words)),
        // The host starts its plugins' workers from its own binary, which is this one.
        Some(word) if word == WORKER => jackfield::main(),
        _ => {}
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run() -> anyhow::Result<()> {
    // First of all, so that Ctrl-C during the start ends in a clean stop too.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let behaviour = Behaviour { rotation: Rotation::SingleUse, ..Behaviour::default() };
    let slack = Arc::new(StandInSlack::start_on(0, Client::default(), behaviour).await?);
    let at = slack.clone();
    let demo = async {
        let host = tokio::task::spawn_blocking(move || start(&at)).await??;
        tell(&host, &slack)?;
        // Until a signal comes; the host stops when it is dropped.
        std::future::pending::<()>().await;
        drop(host);
        anyhow::Ok(())
    };
    tokio::select! {
        // Signals first: a host that has got the terminal's Ctrl-C as well is no failure of the
        // demo.
        biased;
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        ended = demo => return ended,
    }
    // Not println!, which panics when nobody reads any more; a signal still ends well then.
    let _ = writeln!(std::io::stdout(), "\nStopped.");
    Ok(())
}

fn start(slack: &StandInSlack) -> anyhow::Result<Host> {
    let program = Program { path: std::env::current_exe()?, arguments: vec![HOST.to_owned()] };
    let Client { id, secret, .. } = slack.client();
    let options = format!(
        "[http]\nallow-private = [\"127.0.0.1:{}\"]\n\n[slack]\nclient-id = \"{id}\"\nclient-secret = \"{secret}\"\n\
         authorize-url = \"{}\"\ntoken-url = \"{}\"\n",
        slack.port(),
        slack.url("/oauth/v2/authorize"),
        slack.url("/api/oauth.v2.access"),
    );
    let host = HostBuilder::new(program).plugin("example").plugin("slack").toml(&options).log("info").start()?;
    host.user(EMAIL, PASSWORD)?;
    host.run(&["org", "create", ORGANIZATION, "--name", "Analytical Engines", "--owner", EMAIL], "")?;
    Ok(host)
}

/// The line that starts the example product: a page of another origin, whose customers connect
/// accounts.
fn product(host: &Host) -> anyhow::Result<String> {
    // Free now, and named before the product listens.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    host.run(&["org", "settings", ORGANIZATION, "--allow-origin", &format!("http://localhost:{port}")], "")?;
    let token = host.token(ORGANIZATION, &["integrations:connect", "integrations:events"])?;
    let url = &host.url;
    Ok(format!(
        "JACKFIELD_URL={url} JACKFIELD_ORGANIZATION={ORGANIZATION} PORT={port} \\\n  \
         JACKFIELD_TOKEN={} node tests/example-product/server.mjs",
        token.trim()
    ))
}

fn tell(host: &Host, slack: &StandInSlack) -> anyhow::Result<()> {
    let product = product(host)?;
    let token = host.token(ORGANIZATION, &["integrations:token", "integrations:proxy", "org:read"])?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "\nJackfield is running, with a stand-in Slack; nothing leaves this machine.\n\n  \
         Open      {}\n  Log in    {EMAIL}\n  Password  {PASSWORD}\n\n\
         Add Slack: a dialog opens with the stand-in's page; choose a workspace and allow it, or deny it.\n\
         Add Example: it asks for a name. What you have added appears in the list.\n\n\
         Then be a machine that uses the first of them, without seeing its token:\n  \
         curl -H 'Authorization: Bearer {}' {}/api/0/organizations/{ORGANIZATION}/integrations/1/proxy/auth.test\n\n\
         Or be a product whose customers connect accounts without one here (with Node.js, in another terminal):\n  \
         {product}\n\n\
         Configuration, database and log are in {}\n\
         Misbehave as Slack sometimes does: curl {} --json '{{\"token\": \"server-error\"}}'\n\
         Slack's tokens rotate, each lives twelve hours; how they are doing: curl {}\n\n\
         Ctrl-C stops it all and removes everything.\n",
        host.url,
        token.trim(),
        host.url,
        host.folder().display(),
        slack.url("/behaviour"),
        slack.url("/tokens"),
    )?;
    out.flush().context("writing to standard output")
}
